//! What processes say they run.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::not_empty;
use super::{Api, ApiError, JobRecord};
use crate::job::Timestamp;
use crate::store::{Fields, keys};

/// A job that a process said it runs, at its last beat: it may be done by now.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Work {
    /// The identity of the process.
    pub process: String,
    /// The thread of the process, or the short name of ours for the execution.
    pub thread: String,
    /// The queue that it was taken from.
    pub queue: String,
    /// When it started, in whole seconds.
    pub run_at: Option<Timestamp>,
    /// Whether it was given up, since it ran too long or was cancelled, and does not stop. Its job is settled already: it may wait
    /// for another try. Ours alone tell.
    pub stuck: bool,
    /// The job.
    pub job: JobRecord,
}

impl Api {
    /// The jobs that processes say they run, the longest running first. Two round trips and what the processes tell: grows with their
    /// number, not that of jobs.
    ///
    /// ```
    /// # use sancho::{Client, Config, api::Api};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let api = Api::new(&Client::connect(Config::new().store("memory:")).await?);
    /// for work in api.work().await? {
    ///     println!("{} {} {}", work.process, work.job.display_class(), work.job.jid());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A store that gives no answer.
    pub async fn work(&self) -> Result<Vec<Work>, ApiError> {
        let described = self.described().await?.into_iter();
        let processes: Vec<String> = described
            .filter(|(_, fields)| !fields.is_empty())
            .map(|(identity, _)| identity)
            .collect();
        // Where Sidekiq 6.5 and later look for it, and where 6.4 and before do: some of ours write both.
        let keys: Vec<_> = processes
            .iter()
            .flat_map(|identity| [keys::work(identity), keys::workers(identity)])
            .collect();
        let mut fields = self.fields_of(&keys).await?.into_iter();
        let mut running = Vec::new();
        for process in processes {
            let (new, old) = (fields.next(), fields.next());
            let of_process: Fields = new
                .filter(|fields| !fields.is_empty())
                .or(old)
                .unwrap_or_default();
            running.extend(
                of_process
                    .into_iter()
                    .map(|(thread, value)| Work::read(&process, thread, &value)),
            );
        }
        running.sort_by_key(|work| work.run_at);
        Ok(running)
    }

    /// The execution of the job with this id, if a process says that it runs it. Costs as much as [`work`](Self::work).
    ///
    /// # Errors
    /// An empty id; a store that gives no answer.
    pub async fn find_work(&self, jid: &str) -> Result<Option<Work>, ApiError> {
        not_empty("the id of a job", jid)?;
        let mut running = self.work().await?.into_iter();
        Ok(running.find(|work| work.job.jid().as_str() == jid))
    }
}

impl Work {
    /// What cannot be read shows its raw text as the job.
    fn read(process: &str, thread: String, value: &Bytes) -> Self {
        #[derive(Deserialize)]
        struct Shown<'a> {
            #[serde(default)]
            queue: String,
            #[serde(borrow)]
            payload: &'a RawValue,
            #[serde(default)]
            run_at: Option<f64>,
            #[serde(default)]
            stuck: bool,
        }
        let shown: Option<Shown<'_>> = serde_json::from_slice(value).ok();
        let Some(shown) = shown else {
            return Self {
                process: process.to_owned(),
                thread,
                queue: String::new(),
                run_at: None,
                stuck: false,
                job: JobRecord::read(value.clone()),
            };
        };
        // In 6.0 it was the object itself.
        let payload: Bytes = match serde_json::from_str::<String>(shown.payload.get()) {
            Ok(text) => text.into(),
            Err(_) => value.slice_ref(shown.payload.get().as_bytes()),
        };
        Self {
            process: process.to_owned(),
            thread,
            job: JobRecord::new(payload, Some(&shown.queue)),
            queue: shown.queue,
            run_at: shown.run_at.map(Timestamp::from_score),
            stuck: shown.stuck,
        }
    }
}
