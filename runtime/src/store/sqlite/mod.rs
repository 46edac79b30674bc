//! The store in one SQLite file, which several processes may share.
//!
//! One thread owns the connection that writes ([`writer`]); what waits for it is committed together. Looks go through a connection of
//! their own. Other processes are noticed by watching the write-ahead log ([`watch`]).

mod check;
mod claim;
mod commit;
mod file;
mod inspect;
mod notes;
mod open;
mod owner;
mod page;
mod tables;
#[cfg(test)]
mod tests;
mod time;
mod watch;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::Connection;

use super::wake::Wake;
use super::{
    Answer, Batch, Claim, ClaimRequest, Commit, Defect, Interest, Owner, Registration, Renewed,
    Store, TestClock, Unavailable,
};
use commit::Doomed;
pub use open::OpenError;
use page::Marks;
use tables::Tables;
use time::Time;
use watch::Watch;
use writer::Writer;

/// What a SQLite store is set to.
#[derive(Clone, Default)]
#[must_use = "options do nothing by themselves"]
pub struct SqliteOptions {
    durability: Durability,
    clock: Option<TestClock>,
    before_commit: Option<BeforeCommit>,
}

/// What a crash test calls between the changes of a transaction and their commit.
type BeforeCommit = Arc<dyn Fn() + Send + Sync>;

/// What an acknowledged change survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The process (`synchronous=NORMAL`): a loss of power may take the last changes.
    #[default]
    Normal,
    /// A loss of power as well (`synchronous=FULL`), for a sync of the disk with every group of changes.
    Full,
}

impl SqliteOptions {
    /// What a change survives. Defaults to [`Durability::Normal`].
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Takes all time from this clock: for tests.
    pub fn with_clock(mut self, clock: TestClock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Calls `hook` amid each transaction, when its changes are made and not committed, so that a crash test can end the
    /// process there.
    #[doc(hidden)]
    pub fn with_before_commit(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.before_commit = Some(Arc::new(hook));
        self
    }
}

impl fmt::Debug for SqliteOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteOptions")
            .field("durability", &self.durability)
            .finish_non_exhaustive()
    }
}

/// A store in a SQLite file.
pub struct SqliteStore {
    path: PathBuf,
    // Dropped before the writer, whose thread ends when nobody can ask it any more.
    _watch: Watch,
    writer: Writer,
    reader: Arc<Mutex<Connection>>,
    marks: Arc<Mutex<Marks>>,
    wake: Arc<Wake>,
    time: Time,
}

impl SqliteStore {
    /// Opens the file, and makes it where it is not there.
    ///
    /// # Errors
    /// A folder that is missing, a file that cannot be written or is no database, tables of another version.
    pub fn open(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, OpenError> {
        let path = std::path::absolute(path.as_ref()).unwrap_or_else(|_| path.as_ref().to_owned());
        let (connection, reader) = open::connections(&path, options.durability)?;
        let wake = Arc::new(Wake::new());
        let no_thread = |error| OpenError::no_thread(&path, error);
        let writer = Writer::start(connection, wake.clone(), name(&path), options.before_commit)
            .map_err(no_thread)?;
        Ok(Self {
            _watch: Watch::start(&path, writer.peek()).map_err(no_thread)?,
            writer,
            reader: Arc::new(Mutex::new(reader)),
            marks: Arc::default(),
            wake,
            time: Time::new(options.clock),
            path,
        })
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Tables<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Unavailable> {
        self.writer.write(work).await
    }
}

/// How errors call the store.
fn name(path: &Path) -> Box<str> {
    format!("sqlite:{}", path.display()).into()
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqliteStore({})", self.path.display())
    }
}

impl Store for SqliteStore {
    fn commit<'a>(&'a self, batch: &'a Batch) -> Answer<'a, Commit> {
        let (batch, now) = (batch.clone(), self.time.now());
        let mut doomed = Doomed::new();
        Box::pin(self.write(move |tables| commit::commit(tables, &batch, now, &mut doomed)))
    }

    fn claim<'a>(&'a self, request: &'a ClaimRequest) -> Answer<'a, Claim> {
        let request = request.clone();
        Box::pin(self.write(move |tables| claim::claim(tables, &request)))
    }

    fn renew<'a>(
        &'a self,
        owner: &'a Owner,
        lease: Duration,
        registration: Registration,
    ) -> Answer<'a, Renewed> {
        let (owner, time) = (owner.clone(), self.time.clone());
        Box::pin(self.write(move |tables| owner::renew(tables, &owner, lease, registration, &time)))
    }

    fn take_over<'a>(
        &'a self,
        owner: &'a Owner,
        seq: u64,
        from: &'a Owner,
        limit: usize,
    ) -> Answer<'a, Claim> {
        let (owner, from, time) = (owner.clone(), from.clone(), self.time.clone());
        Box::pin(
            self.write(move |tables| owner::take_over(tables, &owner, seq, &from, limit, &time)),
        )
    }

    fn wait<'a>(&'a self, interest: &'a Interest, timeout: Duration) -> Answer<'a, ()> {
        Box::pin(async move {
            self.wake.wait(interest, timeout).await;
            Ok(())
        })
    }

    fn repair<'a>(&'a self, defect: &'a Defect) -> Answer<'a, bool> {
        let (defect, now) = (defect.clone(), self.time.now());
        Box::pin(self.write(move |tables| check::repair(tables, &defect, now)))
    }

    fn turn<'a>(
        &'a self,
        batch: &'a Batch,
        request: &'a ClaimRequest,
    ) -> Answer<'a, (Commit, Claim)> {
        let (batch, request, now) = (batch.clone(), request.clone(), self.time.now());
        let mut doomed = Doomed::new();
        Box::pin(self.write(move |tables| {
            Ok((
                commit::commit(tables, &batch, now, &mut doomed)?,
                claim::claim(tables, &request)?,
            ))
        }))
    }
}
