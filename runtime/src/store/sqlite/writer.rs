//! The thread that writes.
//!
//! Requests that wait are run in one transaction, each in a savepoint of its own, and are answered once it is committed. A group
//! is kept short, so that another process on the file gets its turn.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use tokio::sync::oneshot;

use crate::store::wake::Wake;
use crate::store::{InterestKind, Owner, Unavailable};

/// How many requests share a transaction at most.
const MAX_GROUP: usize = 64;

/// How long a transaction is added to.
const MAX_GROUP_TIME: Duration = Duration::from_millis(5);

/// How long a group waits for another process's lock, and between looks at it. SQLite's own waiting is up to 100 ms long and unfair.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
const LOCK_LOOKS: std::ops::Range<u64> = 200..1_000;

/// The asking end. The thread ends when the last one is dropped.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    requests: Sender<Message>,
    name: Box<str>,
}

/// Asks the thread to look whether another process has written.
#[derive(Clone, Debug)]
pub(super) struct Peek {
    requests: Sender<Message>,
    asked: Arc<AtomicBool>,
}

enum Message {
    Request(Box<dyn Request>),
    Peek(Arc<AtomicBool>),
}

impl Writer {
    pub(super) fn start(connection: Connection, wake: Arc<Wake>, name: Box<str>) -> Self {
        let (requests, waiting) = channel();
        let thread = Thread {
            connection,
            waiting,
            wake,
            name: name.clone(),
            version: None,
            ids: Ids::default(),
        };
        thread::spawn(move || thread.run());
        Self { requests, name }
    }

    /// Runs `work` in a transaction, and answers once it is committed. Work that fails leaves nothing behind.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tables<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Unavailable> {
        let (reply, answer) = oneshot::channel();
        let request = Typed {
            work: Some(work),
            done: None,
            reply,
        };
        let gone = || Unavailable::new(self.name.clone(), "its writing thread has ended");
        self.requests
            .send(Message::Request(Box::new(request)))
            .map_err(|_| gone().unsent())?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    pub(super) fn peek(&self) -> Peek {
        Peek {
            requests: self.requests.clone(),
            asked: Arc::default(),
        }
    }
}

impl Peek {
    /// Asks, unless it is asked already; `false` once nobody is there.
    pub(super) fn ask(&self) -> bool {
        self.asked.swap(true, Ordering::AcqRel)
            || self
                .requests
                .send(Message::Peek(self.asked.clone()))
                .is_ok()
    }
}

/// A request as an object.
trait Request: Send {
    fn run(&mut self, tables: &mut Tables<'_>) -> rusqlite::Result<()>;
    fn answer(self: Box<Self>, committed: Result<(), Unavailable>);
}

struct Typed<T, W> {
    work: Option<W>,
    done: Option<T>,
    reply: oneshot::Sender<Result<T, Unavailable>>,
}

impl<T: Send, W: FnOnce(&mut Tables<'_>) -> rusqlite::Result<T> + Send> Request for Typed<T, W> {
    fn run(&mut self, tables: &mut Tables<'_>) -> rusqlite::Result<()> {
        if let Some(work) = self.work.take() {
            self.done = Some(work(tables)?);
        }
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), Unavailable>) {
        let Self { done, reply, .. } = *self;
        let answer = committed.map(|()| done.expect("a request that is committed was run"));
        let _ = reply.send(answer);
    }
}

struct Thread {
    connection: Connection,
    waiting: Receiver<Message>,
    wake: Arc<Wake>,
    name: Box<str>,
    /// `PRAGMA data_version`: changes when another connection commits.
    version: Option<i64>,
    ids: Ids,
}

/// The numbers of owners and queues, which never change.
#[derive(Default)]
struct Ids {
    owners: HashMap<Owner, i64>,
    queues: HashMap<Arc<str>, i64>,
}

/// How many owners' numbers are remembered; those of the dead are of no use.
const MAX_OWNERS: usize = 1_024;

impl Thread {
    fn run(mut self) {
        self.look();
        while let Ok(message) = self.waiting.recv() {
            match message {
                Message::Peek(asked) => {
                    asked.store(false, Ordering::Release);
                    self.look();
                }
                Message::Request(first) => self.group(first),
            }
        }
    }

    /// Wakes whoever waits, if another process has written.
    fn look(&mut self) {
        let version = self
            .connection
            .query_row("PRAGMA data_version", [], |row| row.get(0))
            .ok();
        if std::mem::replace(&mut self.version, version) != version {
            self.wake.changed(InterestKind::Queues);
            self.wake.changed(InterestKind::Timed);
        }
    }

    fn group(&mut self, first: Box<dyn Request>) {
        let start = Instant::now();
        if let Err(error) = self.begin() {
            first.answer(Err(self.unavailable(error)));
            return;
        }
        let (queues, timed) = (Cell::new(false), Cell::new(false));
        let mut run = Vec::new();
        let mut next = Some(first);
        while let Some(mut request) = next.take() {
            let mut tables = Tables {
                connection: &self.connection,
                ids: &mut self.ids,
                queues: &queues,
                timed: &timed,
            };
            match savepoint(&mut tables, |tables| request.run(tables)) {
                Ok(()) => run.push(request),
                Err(error) => {
                    self.ids = Ids::default();
                    // A full disk, for one, ends the whole transaction by itself.
                    let lost = self.connection.is_autocommit();
                    request.answer(Err(self.unavailable(error)));
                    if lost {
                        return self.all_lost(run, "its transaction was rolled back");
                    }
                }
            }
            if run.len() < MAX_GROUP && start.elapsed() < MAX_GROUP_TIME {
                next = self.next_request();
            }
        }
        self.end(run, queues.get(), timed.get());
    }

    fn next_request(&mut self) -> Option<Box<dyn Request>> {
        loop {
            match self.waiting.try_recv().ok()? {
                Message::Request(request) => return Some(request),
                // The change is seen by the first look after this transaction.
                Message::Peek(asked) => {
                    asked.store(false, Ordering::Release);
                    self.version = None;
                }
            }
        }
    }

    fn begin(&self) -> rusqlite::Result<()> {
        let patience = Instant::now() + LOCK_PATIENCE;
        loop {
            match self
                .connection
                .prepare_cached("BEGIN IMMEDIATE")?
                .execute([])
            {
                Err(error) if is_busy(&error) && Instant::now() < patience => pause(),
                result => return result.map(|_| ()),
            }
        }
    }

    fn end(&mut self, run: Vec<Box<dyn Request>>, queues: bool, timed: bool) {
        let committed = self
            .connection
            .prepare_cached("COMMIT")
            .and_then(|mut commit| commit.execute([]));
        if let Err(error) = committed {
            if !self.connection.is_autocommit() {
                let _ = self.connection.execute_batch("ROLLBACK");
            }
            return self.all_lost(run, &error.to_string());
        }
        if queues {
            self.wake.changed(InterestKind::Queues);
        }
        if timed {
            self.wake.changed(InterestKind::Timed);
        }
        for request in run {
            request.answer(Ok(()));
        }
        if self.version.is_none() {
            self.look();
        }
    }

    fn all_lost(&mut self, run: Vec<Box<dyn Request>>, reason: &str) {
        self.ids = Ids::default();
        for request in run {
            request.answer(Err(Unavailable::new(self.name.clone(), reason).unsent()));
        }
    }

    /// What failed was rolled back, so it was certainly not applied.
    fn unavailable(&self, error: rusqlite::Error) -> Unavailable {
        Unavailable::new(self.name.clone(), error.to_string())
            .unsent()
            .because(error)
    }
}

/// Runs `work` so that it leaves nothing behind where it fails.
pub(super) fn savepoint<T>(
    tables: &mut Tables<'_>,
    work: impl FnOnce(&mut Tables<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    tables
        .connection
        .prepare_cached("SAVEPOINT request")?
        .execute([])?;
    let result = work(tables);
    if !tables.connection.is_autocommit() {
        if result.is_err() {
            tables
                .connection
                .prepare_cached("ROLLBACK TO request")?
                .execute([])?;
        }
        tables
            .connection
            .prepare_cached("RELEASE request")?
            .execute([])?;
    }
    result
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "a lock of another process gives no signal when it is free"
)]
fn pause() {
    thread::sleep(Duration::from_micros(fastrand::u64(LOCK_LOOKS)));
}

/// The tables, in a transaction.
pub(super) struct Tables<'a> {
    pub(super) connection: &'a Connection,
    ids: &'a mut Ids,
    queues: &'a Cell<bool>,
    timed: &'a Cell<bool>,
}

impl Tables<'_> {
    /// Something of this kind has changed; told to those who wait once it is committed.
    pub(super) fn changed(&self, kind: InterestKind) {
        match kind {
            InterestKind::Queues => self.queues.set(true),
            InterestKind::Timed => self.timed.set(true),
        }
    }

    /// The owner's number; `None` for one that nobody knows.
    pub(super) fn owner(&mut self, owner: &Owner) -> rusqlite::Result<Option<i64>> {
        if let Some(id) = self.ids.owners.get(owner) {
            return Ok(Some(*id));
        }
        let mut select = self
            .connection
            .prepare_cached("SELECT id FROM owner WHERE name = ?1")?;
        let id = select
            .query_row([owner.as_str()], |row| row.get(0))
            .optional()?;
        if let Some(id) = id {
            if self.ids.owners.len() >= MAX_OWNERS {
                self.ids.owners.clear();
            }
            self.ids.owners.insert(owner.clone(), id);
        }
        Ok(id)
    }

    /// The queue's number; `None` for one that nobody knows.
    pub(super) fn known_queue(&mut self, name: &Arc<str>) -> rusqlite::Result<Option<i64>> {
        if let Some(id) = self.ids.queues.get(name) {
            return Ok(Some(*id));
        }
        let mut select = self
            .connection
            .prepare_cached("SELECT id FROM queue WHERE name = ?1")?;
        let id = select.query_row([&**name], |row| row.get(0)).optional()?;
        if let Some(id) = id {
            self.ids.queues.insert(name.clone(), id);
        }
        Ok(id)
    }

    /// The queue's number, which it is given where it has none.
    pub(super) fn queue(&mut self, name: &Arc<str>) -> rusqlite::Result<i64> {
        if let Some(id) = self.known_queue(name)? {
            return Ok(id);
        }
        self.connection
            .prepare_cached("INSERT INTO queue (name) VALUES (?1)")?
            .execute(params![&**name])?;
        let id = self.connection.last_insert_rowid();
        self.ids.queues.insert(name.clone(), id);
        Ok(id)
    }
}
