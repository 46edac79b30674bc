//! Running one job of a fake, by the ways of a server.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use super::{Settings, Stage, Which, put};
use crate::__private::JOBS;
use crate::client::Client;
use crate::client::stand_in::{Sink, Submitted};
use crate::engine::alone::{self, Alone};
use crate::job::payload::Record;
use crate::job::{
    Definition, Ending, Failure, FailureKind, Outcome, Registry, RegistryError, StateInfo,
};
use crate::store::{Place, PlaceName, Tx, TxResult};

/// What became of a job that was to run.
pub(super) enum Ran {
    /// It was not there any more.
    Gone,
    Well,
    Badly(Failure),
    Unrunnable(String),
}

impl Stage {
    /// Runs the job with these bytes in this queue.
    pub(super) async fn run(&self, queue: &Arc<str>, payload: &Bytes, which: Which) -> Ran {
        let engine = match self.engine_for(payload, which).await {
            Ok(engine) => engine,
            Err(reason) => return Ran::Unrunnable(reason),
        };
        match engine.run(queue, payload, &self.claiming).await {
            None => Ran::Gone,
            Some(ending) => failure(ending).map_or(Ran::Well, Ran::Badly),
        }
    }

    /// What runs this payload.
    async fn engine_for(&self, payload: &Bytes, which: Which) -> Result<Arc<Alone>, String> {
        let (definition, server) = {
            let settings = self.settings();
            let definition = settings.definition(payload, which)?;
            let known = |(of, _): &&(&'static Definition, _)| std::ptr::eq(*of, definition);
            if let Some((_, engine)) = settings.engines.iter().find(known) {
                return Ok(engine.clone());
            }
            (definition, settings.server.clone())
        };
        let config = self.settings().config.clone();
        let client = Client::into_sink(
            Arc::new(Nowhere),
            self.store.clone(),
            &config,
            self.clock.source(),
        );
        let server = server
            .with_clock(self.clock.source())
            .only_these([definition])
            .build()
            .map_err(|error| error.to_string())?;
        let engine = Alone::start(server, &client)
            .await
            .map_err(|error| error.to_string())?;
        let engine = Arc::new(engine);
        self.settings().engines.push((definition, engine.clone()));
        Ok(engine)
    }

    /// Runs what a push has put somewhere.
    pub(super) async fn run_pushed(&self, payload: Bytes, place: Place) -> Submitted {
        let (queue, payload) = match place {
            Place::Queue { name, .. } => (name, payload),
            Place::Timed { set, .. } => {
                let promotion = alone::promotion(set, &payload, self.clock.now());
                let put = promotion.then.iter().find_map(put);
                let Some((payload, Place::Queue { name, .. })) = put else {
                    return Submitted::Unrunnable("its payload cannot be read".to_owned());
                };
                let (payload, name) = (payload.clone(), name.clone());
                self.commit(promotion);
                (name, payload)
            }
        };
        match self.run(&queue, &payload, Which::All).await {
            Ran::Gone | Ran::Well => Submitted::Answered(TxResult::Applied),
            Ran::Badly(failure) => Submitted::Failed(failure),
            Ran::Unrunnable(reason) => {
                self.remove(PlaceName::Queue(queue), &payload);
                Submitted::Unrunnable(reason)
            }
        }
    }
}

impl Settings {
    /// The job of this payload, with all that it needs.
    fn definition(&self, payload: &Bytes, which: Which) -> Result<&'static Definition, String> {
        let record = Record::parse(payload.clone()).map_err(|error| error.to_string())?;
        let definition = self.job_of(&record, which)?;
        let states = self.server.states();
        let missing = |state: &&StateInfo| !states.contains((state.id)());
        match definition.all_states().find(missing) {
            None => Ok(definition),
            Some(state) => Err(format!(
                "job `{}` needs `#[state]` of type `{}`: give it to the fake with `.state(...)`",
                definition.name,
                (state.type_name)()
            )),
        }
    }

    /// What is meant, else what was named, else what is linked.
    fn job_of(&self, record: &Record, which: Which) -> Result<&'static Definition, String> {
        let named = self.server.named().iter().copied();
        let mut named = which.definition().into_iter().chain(named);
        if let Some(named) = named.find(|definition| is_job_of(record, definition)) {
            return Ok(named);
        }
        let linked = JOBS.iter().copied().filter(|_| !self.server.is_only());
        let mut linked = linked.filter(|definition| is_job_of(record, definition));
        match (linked.next(), linked.next()) {
            (None, _) => Err(Failure::unknown_class(record.class()).message),
            (Some(only), None) => Ok(only),
            (Some(first), Some(second)) => {
                let class = first.class;
                let two = RegistryError::Duplicate {
                    class,
                    first,
                    second,
                };
                Err(format!(
                    "{two}; or name the one that is meant with `fake.register::<job>()`"
                ))
            }
        }
    }
}

/// Whether it is the job of this payload.
pub(super) fn serves(definition: &'static Definition, payload: &Bytes) -> bool {
    Record::parse(payload.clone()).is_ok_and(|record| is_job_of(&record, definition))
}

fn is_job_of(record: &Record, definition: &'static Definition) -> bool {
    Registry::new([definition]).is_ok_and(|registry| registry.resolve(record).is_ok())
}

/// How an execution failed, if it did.
fn failure(ending: Ending) -> Option<Failure> {
    let asked = |class: &str, message: String| Failure {
        kind: FailureKind::Other,
        class: class.to_owned(),
        backtrace: vec![message.clone()],
        message,
        error: None,
    };
    match ending {
        Ending::Failed(failure) | Ending::Unreadable(failure) => Some(failure),
        Ending::Returned(Outcome::Retry(delay)) => Some(asked(
            "sancho::Outcome::Retry",
            format!("the job asked to be tried again after {delay:?}"),
        )),
        Ending::Returned(Outcome::Dead(reason)) => Some(asked("sancho::Outcome::Dead", reason)),
        Ending::Returned(_) | Ending::Cancelled | Ending::HandedBack | Ending::Lost => None,
    }
}

/// The sink of clients that do not push.
#[derive(Debug)]
struct Nowhere;

impl Sink for Nowhere {
    fn submit(&self, _tx: Tx) -> Pin<Box<dyn Future<Output = Submitted> + Send + '_>> {
        let reason = "this client does not push".to_owned();
        Box::pin(async { Submitted::Unrunnable(reason) })
    }
}
