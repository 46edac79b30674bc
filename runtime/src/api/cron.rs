//! The cron: jobs that are enqueued by themselves.

use std::path::Path;

use crate::__private::JOBS;
use crate::client::{NewJob, of_definition};
use crate::engine::cron::stored::{self, Run, Stored};
use crate::engine::cron::{begins_anew, origin_of_file, read_file};
use crate::job::cron::{CronEntry, CronError};
use crate::job::{JobId, Timestamp};
use crate::store::{Tx, TxResult, keys};

use super::change::Changes;
use super::{Acted, Api, ApiError};

/// The entries of the cron, whoever declared them. What is changed here holds for every process at once; where a server
/// that declares an entry starts, it holds again what that declares, but for whether the entry is enabled.
#[derive(Clone, Debug)]
pub struct Cron {
    api: Api,
}

/// An entry of the cron as it stands.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CronStatus {
    /// Its name.
    pub name: String,
    /// What it pushes, and when; an error where another version wrote what this one cannot read.
    pub entry: Result<CronEntry, CronError>,
    /// Where it comes from: `job` or `server` and a program, `file` and a path, or `api`.
    pub origin: String,
    /// Whether it comes.
    pub enabled: bool,
    /// From when on it comes: when it was added, enabled, or given other times.
    pub since: Timestamp,
    /// The last tick that was made.
    pub last_tick: Option<Timestamp>,
    /// How many ticks were made.
    pub ticks: u64,
    history: Vec<CronRun>,
}

/// A run of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CronRun {
    /// The tick; none where it was asked for ([`Cron::run_now`]).
    pub tick: Option<Timestamp>,
    /// When it was pushed.
    pub at: Timestamp,
    /// The id of its job.
    pub jid: Option<JobId>,
    /// Why there is none.
    pub error: Option<String>,
}

impl Api {
    /// The entries of the cron.
    #[must_use]
    pub fn cron(&self) -> Cron {
        Cron { api: self.clone() }
    }
}

impl Cron {
    /// All entries, by name. Three round trips.
    ///
    /// ```
    /// # use sancho::{Client, Config, api::Api, cron::CronEntry};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let api = Api::new(&Client::connect(Config::new().store("memory:")).await?);
    /// let cron = api.cron();
    /// cron.add(CronEntry::new("hourly_sync", "@hourly", "DataSync")?.args(("full",))?).await?;
    /// for status in cron.list().await? {
    ///     println!("{} comes next at {:?}", status.name, status.next_runs(1, api.now()));
    /// }
    /// let jid = cron.run_now("hourly_sync").await?;
    /// assert_eq!(cron.history("hourly_sync").await?[0].jid, Some(jid));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A store that gives no answer.
    pub async fn list(&self) -> Result<Vec<CronStatus>, ApiError> {
        let names = stored::names(self.api.store()).await;
        let names = names.map_err(ApiError::unavailable)?;
        Ok(self.read(names).await?.into_iter().map(status).collect())
    }

    /// How many entries there are. One round trip.
    ///
    /// # Errors
    /// A store that gives no answer.
    pub async fn size(&self) -> Result<u64, ApiError> {
        let names = stored::names(self.api.store()).await;
        Ok(names.map_err(ApiError::unavailable)?.len() as u64)
    }

    /// The entry of this name. Two round trips.
    ///
    /// # Errors
    /// A store that gives no answer.
    pub async fn get(&self, name: &str) -> Result<Option<CronStatus>, ApiError> {
        Ok(self.find(name).await?.map(status))
    }

    /// Adds an entry. Its first tick is the next one.
    ///
    /// # Errors
    /// A name that is taken; a store that gives no answer, or refuses.
    pub async fn add(&self, entry: CronEntry) -> Result<(), ApiError> {
        let tx = stored::add(&entry, ORIGIN, self.api.now()).map_err(invalid)?;
        match self.act(tx).await? {
            Acted::Done => Ok(()),
            Acted::Gone => Err(ApiError::invalid(format!(
                "there is a cron entry {:?} already: change it, or remove it first",
                entry.name()
            ))),
        }
    }

    /// Puts this entry in the place of the one that has its name. Whether it is enabled stays; it begins anew where it comes at other
    /// times. When this returns, no process makes a tick of the other any more.
    ///
    /// # Errors
    /// No entry of this name; a store that gives no answer, or refuses.
    pub async fn change(&self, entry: CronEntry) -> Result<(), ApiError> {
        let known = self.needed(entry.name()).await?;
        let since = begins_anew(&known, &entry).then(|| self.api.now());
        let tx = stored::change(&entry, ORIGIN, since).map_err(invalid)?;
        self.act(tx).await.map(drop)
    }

    /// Removes an entry, with its history: when this returns, no process makes a tick of it any more. A server that declares it adds it
    /// again when it starts.
    ///
    /// # Errors
    /// A store that gives no answer, or refuses.
    pub async fn remove(&self, name: &str) -> Result<Acted, ApiError> {
        if self.find(name).await?.is_none() {
            return Ok(Acted::Gone);
        }
        self.act(stored::remove(name)).await
    }

    /// Enables an entry. What would have come while it was disabled is not made up for.
    ///
    /// # Errors
    /// No entry of this name; a store that gives no answer, or refuses.
    pub async fn enable(&self, name: &str) -> Result<(), ApiError> {
        self.set_enabled(name, true).await
    }

    /// Disables an entry: when this returns, no process makes a tick of it any more.
    ///
    /// # Errors
    /// No entry of this name; a store that gives no answer, or refuses.
    pub async fn disable(&self, name: &str) -> Result<(), ApiError> {
        self.set_enabled(name, false).await
    }

    async fn set_enabled(&self, name: &str, enabled: bool) -> Result<(), ApiError> {
        if self.needed(name).await?.enabled == enabled {
            return Ok(());
        }
        let tx = stored::enable(name, enabled, self.api.now());
        self.act(tx).await.map(drop)
    }

    /// Pushes the job of an entry now, whether it is enabled or not; its ticks come as before. Client middleware sees it.
    ///
    /// # Errors
    /// No entry of this name; one that cannot be read; a push that middleware stopped; a store that gives no answer, or
    /// refuses.
    pub async fn run_now(&self, name: &str) -> Result<JobId, ApiError> {
        let known = self.needed(name).await?;
        let entry = known.entry.clone().map_err(invalid)?;
        let now = self.api.now();
        let definition = JOBS.iter().find(|job| job.class == entry.class());
        let job = match definition {
            Some(definition) => of_definition(definition, String::new()),
            None => NewJob::new(entry.class(), ""),
        };
        let planned = self.api.client().planned(entry.job(job, now), now).await;
        let (jid, mut tx) = planned.map_err(|error| ApiError::invalid(error.to_string()))?;
        let run = Run::new(None, now, Ok(&jid));
        stored::asked_for(name, &known.runs, &run, &mut tx);
        self.api.act(tx).await.map(|_| jid)
    }

    /// The next ticks of an entry, at most `count`; none while it is disabled.
    ///
    /// # Errors
    /// No entry of this name; a store that gives no answer.
    pub async fn next_runs(&self, name: &str, count: usize) -> Result<Vec<Timestamp>, ApiError> {
        let status = status(self.needed(name).await?);
        Ok(status.next_runs(count, self.api.now()))
    }

    /// The last runs of an entry, the newest first: about ten that came of themselves, and ten that were asked for.
    ///
    /// # Errors
    /// No entry of this name; a store that gives no answer.
    pub async fn history(&self, name: &str) -> Result<Vec<CronRun>, ApiError> {
        Ok(status(self.needed(name).await?).history)
    }

    /// Takes over these entries: those that are new are added, those that are known changed, and those that came from the same `origin`
    /// and are not among them removed, whether a running server declares them or not. All of it, or nothing where one cannot be kept.
    ///
    /// # Errors
    /// Two entries of one name; a store that gives no answer, or refuses.
    pub async fn load(&self, entries: Vec<CronEntry>, origin: &str) -> Result<(), ApiError> {
        let known = self.list_stored().await?;
        let now = self.api.now();
        let mut all = Tx::default();
        for (index, entry) in entries.iter().enumerate() {
            if entries[..index]
                .iter()
                .any(|before| before.name() == entry.name())
            {
                let name = entry.name();
                return Err(ApiError::invalid(format!(
                    "two cron entries are called {name:?}"
                )));
            }
            let before = known.iter().find(|stored| stored.name == entry.name());
            let tx = match before {
                None => stored::add(entry, origin, now),
                Some(before) => {
                    let since = begins_anew(before, entry).then_some(now);
                    stored::change(entry, origin, since)
                }
            };
            all.then.extend(tx.map_err(invalid)?.then);
        }
        for stored in known.iter().filter(|stored| stored.origin == origin) {
            if !entries.iter().any(|entry| entry.name() == stored.name) {
                all.then.extend(stored::remove(&stored.name).then);
            }
        }
        all.then.push(stored::ring());
        all.put_in_order();
        let mut results = Changes::new(&self.api).commit(vec![all]).await?;
        match results.pop() {
            Some(TxResult::Failed { error }) => Err(ApiError::refused(error)),
            _ => Ok(()),
        }
    }

    /// [Loads](Self::load) a schedule file, as [`ServerBuilder::schedule_file`](crate::runtime::ServerBuilder::schedule_file) does at a
    /// start. A file with a mistake changes nothing.
    ///
    /// # Errors
    /// A file that cannot be read, or has mistakes: all of them, with file, entry and field; and those of
    /// [`load`](Self::load).
    pub async fn load_file(&self, path: impl AsRef<Path>) -> Result<(), ApiError> {
        let path = path.as_ref();
        let entries = read_file(path).map_err(|error| ApiError::invalid(error.to_string()))?;
        self.load(entries, &origin_of_file(path)).await
    }

    /// What puts all entries into another store, and what takes them out of this.
    pub(super) async fn carried(&self) -> Result<(Vec<Tx>, Vec<Tx>), ApiError> {
        let names = stored::names(self.api.store()).await;
        let names = names.map_err(ApiError::unavailable)?;
        let mut hashes = self
            .api
            .fields_of(&stored::hashes(&names))
            .await?
            .into_iter();
        let (mut put, mut take) = (Vec::new(), Vec::new());
        for name in names {
            let disabled = self.api.store().values(&[keys::cron_disabled(&name)]).await;
            let disabled = disabled.map_err(ApiError::unavailable)?;
            if let (Some(description), Some(runs)) = (hashes.next(), hashes.next()) {
                let is_disabled = disabled.iter().any(Option::is_some);
                put.push(stored::carry(&name, [description, runs], is_disabled));
                take.push(stored::remove(&name));
            }
        }
        Ok((put, take))
    }

    /// Makes a change, and tells everybody.
    async fn act(&self, mut tx: Tx) -> Result<Acted, ApiError> {
        tx.then.push(stored::ring());
        self.api.act(tx).await
    }

    async fn list_stored(&self) -> Result<Vec<Stored>, ApiError> {
        let names = stored::names(self.api.store()).await;
        self.read(names.map_err(ApiError::unavailable)?).await
    }

    async fn needed(&self, name: &str) -> Result<Stored, ApiError> {
        self.find(name)
            .await?
            .ok_or_else(|| ApiError::NotFound(format!("there is no cron entry {name:?}")))
    }

    async fn find(&self, name: &str) -> Result<Option<Stored>, ApiError> {
        Ok(self.read(vec![name.to_owned()]).await?.pop())
    }

    async fn read(&self, names: Vec<String>) -> Result<Vec<Stored>, ApiError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let hashes = self.api.fields_of(&stored::hashes(&names)).await?;
        let disabled = self.api.store().values(&stored::disabled(&names)).await;
        let disabled = disabled.map_err(ApiError::unavailable)?;
        Ok(stored::read(names, hashes, disabled))
    }
}

impl CronStatus {
    /// The next ticks after `now`, at most `count`; none while it is disabled.
    #[must_use]
    pub fn next_runs(&self, count: usize, now: Timestamp) -> Vec<Timestamp> {
        match &self.entry {
            Ok(entry) if self.enabled => entry.schedule().next_times(now, count),
            _ => Vec::new(),
        }
    }

    /// The last runs, as [`Cron::history`] gives them.
    #[must_use]
    pub fn history(&self) -> &[CronRun] {
        &self.history
    }
}

/// Where entries come from that are added here.
const ORIGIN: &str = "api";

fn status(stored: Stored) -> CronStatus {
    let run = |run: Run| CronRun {
        tick: run.tick.map(Timestamp::from_micros),
        at: Timestamp::from_micros(run.at),
        jid: run.jid.map(JobId::from_text),
        error: run.error,
    };
    let runs = stored.runs;
    let mut history: Vec<_> = runs
        .history
        .into_iter()
        .map(|(_, kept)| run(kept))
        .collect();
    history.sort_by_key(|run| std::cmp::Reverse((run.at, run.tick)));
    CronStatus {
        name: stored.name,
        entry: stored.entry,
        origin: stored.origin,
        enabled: stored.enabled,
        since: stored.since,
        last_tick: runs.mark,
        ticks: runs.count,
        history,
    }
}

fn invalid(error: CronError) -> ApiError {
    ApiError::invalid(error.to_string())
}
