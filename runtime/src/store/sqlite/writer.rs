//! The thread that writes.
//!
//! Requests that wait are run in one transaction, each in a savepoint of its own, and are answered once it is committed. A group
//! is kept short, so that another process on the file gets its turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};
use tokio::sync::oneshot;

use super::BeforeCommit;
use super::file::File;
use super::tables::{Known, News, Tables, savepoint};
use crate::store::wake::Wake;
use crate::store::{InterestKind, Unavailable};

/// How many requests share a transaction at most.
const MAX_GROUP: usize = 64;

/// How long a transaction is added to.
const MAX_GROUP_TIME: Duration = Duration::from_millis(5);

/// How long a group waits for another process's lock, and between looks at it. SQLite's own waiting is up to 100 ms long and unfair.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
const LOCK_LOOKS: std::ops::Range<u64> = 200..1_000;

/// When a look that may have been too early is made again.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// The kinds of change that another process is woken for.
const KINDS: [InterestKind; 3] = [
    InterestKind::Queues,
    InterestKind::Timed,
    InterestKind::Lists,
];

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
    pub(super) fn start(
        connection: Connection,
        wake: Arc<Wake>,
        name: Box<str>,
        before_commit: Option<BeforeCommit>,
    ) -> std::io::Result<Self> {
        let (requests, waiting) = channel();
        let thread = Thread {
            file: File::of(&connection),
            connection,
            waiting,
            wake,
            name: name.clone(),
            before_commit,
            seen: Seen::default(),
            known: Known::default(),
        };
        thread::Builder::new()
            .name("sancho-sqlite".into())
            .spawn(move || thread.run())?;
        Ok(Self { requests, name })
    }

    /// Runs `work` in a transaction, and answers once it is committed. Work that fails leaves nothing behind; it is run
    /// again where it failed for its neighbours' sake.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Tables<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Unavailable> {
        let (reply, answer) = oneshot::channel();
        let request = Typed {
            work,
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
    work: W,
    done: Option<T>,
    reply: oneshot::Sender<Result<T, Unavailable>>,
}

impl<T: Send, W: FnMut(&mut Tables<'_>) -> rusqlite::Result<T> + Send> Request for Typed<T, W> {
    fn run(&mut self, tables: &mut Tables<'_>) -> rusqlite::Result<()> {
        self.done = Some((self.work)(tables)?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), Unavailable>) {
        let Self { done, reply, .. } = *self;
        let answer = committed.map(|()| done.expect("a request that is committed was run"));
        // Nobody listens where the caller has given up.
        let _ = reply.send(answer);
    }
}

struct Thread {
    connection: Connection,
    file: File,
    waiting: Receiver<Message>,
    wake: Arc<Wake>,
    name: Box<str>,
    before_commit: Option<BeforeCommit>,
    seen: Seen,
    known: Known,
}

/// Up to where the changes on the file are known.
#[derive(Default)]
struct Seen {
    /// `PRAGMA data_version`, which changes when another connection commits.
    version: Option<i64>,
    /// The row of each kind in the table `signal`.
    queues: Option<i64>,
    timed: Option<i64>,
    lists: Option<i64>,
    /// A look was asked for while a transaction ran, or is owed from before it.
    look_due: bool,
    /// The last look may have been too early. The log is written, which is what wakes this thread, before the commit can
    /// be seen, and nothing tells of that moment; who holds the lock of the writer knows that it has passed.
    unsure: bool,
}

impl Thread {
    fn run(mut self) {
        self.look();
        loop {
            let message = if self.seen.unsure {
                self.waiting.recv_timeout(LOOK_AGAIN)
            } else {
                self.waiting.recv().map_err(RecvTimeoutError::from)
            };
            match message {
                Ok(Message::Peek(asked)) => {
                    asked.store(false, Ordering::Release);
                    self.look();
                    self.seen.unsure = true;
                }
                Ok(Message::Request(first)) => self.group(first),
                Err(RecvTimeoutError::Timeout) => self.look_under_lock(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if std::mem::take(&mut self.seen.look_due) {
                self.look();
            }
        }
    }

    /// Looks while nobody can be amid a commit. Where somebody is, it is tried again later.
    fn look_under_lock(&mut self) {
        match self.connection.execute_batch("BEGIN IMMEDIATE") {
            Err(error) if is_busy(&error) => return,
            Ok(()) => self.look(),
            // The requests that follow will say what is wrong.
            Err(_) => self.seen.version = None,
        }
        self.seen.unsure = false;
        self.roll_back();
    }

    /// Wakes whoever waits, if another process has made a change of that kind.
    fn look(&mut self) {
        let version = self
            .connection
            .query_row("PRAGMA data_version", [], |row| row.get(0))
            .ok();
        if version.is_some() && version == self.seen.version {
            return;
        }
        self.seen.version = version;
        for kind in KINDS {
            // Without an answer, a wake-up for nothing is the safe side.
            let now = self
                .connection
                .prepare_cached("SELECT n FROM signal WHERE kind = ?1")
                .and_then(|mut select| select.query_row([number_of(kind)], |row| row.get(0)))
                .ok();
            let seen = self.seen.of(kind);
            if now.is_none() || now != *seen {
                *seen = now;
                self.wake.changed(kind);
            }
        }
    }

    fn group(&mut self, first: Box<dyn Request>) {
        if self.file.is_gone() {
            let error = "the file was deleted or replaced: put it back, or start the program again";
            self.turn_away(first, error);
            return;
        }
        if let Err(error) = self.begin() {
            self.turn_away(first, &error.to_string());
            return;
        }
        // Not from before the wait for the lock: what was waited for long would be used for one request.
        let start = Instant::now();
        let mut news = News::default();
        let mut run = Vec::new();
        let mut next = Some(first);
        while let Some(mut request) = next.take() {
            match self.run_in_savepoint(&mut *request, &mut news) {
                Ok(()) => run.push(request),
                // A full disk, for one, ends the whole transaction by itself: who can go on without the others, may.
                Err(_) if self.connection.is_autocommit() => {
                    run.push(request);
                    return self.each_alone(run);
                }
                Err(error) => request.answer(Err(self.not_applied(error))),
            }
            if run.len() < MAX_GROUP && start.elapsed() < MAX_GROUP_TIME {
                next = self.next_request();
            }
        }
        match self.commit(&news) {
            Ok(()) => {
                for request in run {
                    request.answer(Ok(()));
                }
            }
            Err(error) if run.len() <= 1 => {
                for request in run {
                    request.answer(Err(self.not_committed(&error)));
                }
            }
            Err(_) => self.each_alone(run),
        }
    }

    /// Runs requests in transactions of their own, after one they shared was lost.
    fn each_alone(&mut self, requests: Vec<Box<dyn Request>>) {
        for mut request in requests {
            let answer = loop {
                if let Err(error) = self.begin() {
                    break Err(self.not_applied(error));
                }
                let mut news = News::default();
                let ran = self.run_in_savepoint(&mut *request, &mut news);
                match ran {
                    Ok(()) => {
                        break self
                            .commit(&news)
                            .map_err(|error| self.not_committed(&error));
                    }
                    Err(error) => {
                        self.roll_back();
                        if !news.again {
                            break Err(self.not_applied(error));
                        }
                    }
                }
            };
            request.answer(answer);
        }
    }

    fn run_in_savepoint(
        &mut self,
        request: &mut dyn Request,
        news: &mut News,
    ) -> rusqlite::Result<()> {
        let mut tables = Tables {
            connection: &self.connection,
            known: &mut self.known,
            news,
        };
        savepoint(&mut tables, |tables| request.run(tables))
    }

    fn next_request(&mut self) -> Option<Box<dyn Request>> {
        loop {
            match self.waiting.try_recv().ok()? {
                Message::Request(request) => return Some(request),
                Message::Peek(asked) => {
                    asked.store(false, Ordering::Release);
                    self.seen.look_due = true;
                }
            }
        }
    }

    fn begin(&mut self) -> rusqlite::Result<()> {
        self.known.joined.clear();
        let patience = Instant::now() + LOCK_PATIENCE;
        loop {
            match self
                .connection
                .prepare_cached("BEGIN IMMEDIATE")?
                .execute([])
            {
                Err(error) if is_busy(&error) && Instant::now() < patience => pause(),
                Ok(_) => {
                    self.seen.look_due |= std::mem::take(&mut self.seen.unsure);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Answers all that wait, since they would only wait as long again, one after the other.
    fn turn_away(&mut self, first: Box<dyn Request>, error: &str) {
        let mut next = Some(first);
        while let Some(request) = next {
            request.answer(Err(Unavailable::new(self.name.clone(), error).unsent()));
            next = self.next_request();
        }
        self.seen.unsure = true;
    }

    /// Commits, and wakes whoever waits for what has changed.
    fn commit(&mut self, news: &News) -> rusqlite::Result<()> {
        let changed = || KINDS.into_iter().filter(|kind| news.has(*kind));
        let result = self.raise_signals_and_commit(changed());
        if result.is_err() {
            self.roll_back();
            // The numbers that were raised are free again for another process, and must not look like seen ones then.
            for kind in changed() {
                *self.seen.of(kind) = None;
            }
        } else {
            for kind in changed() {
                self.wake.changed(kind);
            }
        }
        result
    }

    fn raise_signals_and_commit(
        &mut self,
        kinds: impl Iterator<Item = InterestKind>,
    ) -> rusqlite::Result<()> {
        for kind in kinds {
            let n = self
                .connection
                .prepare_cached("UPDATE signal SET n = n + 1 WHERE kind = ?1 RETURNING n")?
                .query_row([number_of(kind)], |row| row.get(0))?;
            // What others raised before it is woken for as well, by the same call.
            *self.seen.of(kind) = Some(n);
        }
        if let Some(hook) = &self.before_commit {
            hook();
        }
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    fn roll_back(&mut self) {
        self.known = Known::default();
        if !self.connection.is_autocommit() {
            // Where this fails, so does the next BEGIN, and is answered as unavailable.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }

    /// What failed before the commit was rolled back.
    fn not_applied(&self, error: rusqlite::Error) -> Unavailable {
        Unavailable::new(self.name.clone(), error.to_string())
            .unsent()
            .because(error)
    }

    /// A commit for which the disk had no room was not made. After another error of the disk nobody knows: its last
    /// write may be found when the file is opened again.
    fn not_committed(&self, error: &rusqlite::Error) -> Unavailable {
        let unavailable = Unavailable::new(self.name.clone(), error.to_string());
        if error.sqlite_error_code() == Some(ErrorCode::DiskFull) {
            unavailable.unsent()
        } else {
            unavailable
        }
    }
}

impl Seen {
    fn of(&mut self, kind: InterestKind) -> &mut Option<i64> {
        match kind {
            InterestKind::Queues => &mut self.queues,
            InterestKind::Timed => &mut self.timed,
            InterestKind::Lists => &mut self.lists,
        }
    }
}

/// The row of a kind in the table `signal`.
fn number_of(kind: InterestKind) -> i64 {
    match kind {
        InterestKind::Queues => 0,
        InterestKind::Timed => 1,
        InterestKind::Lists => 2,
    }
}

pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "a lock of another process gives no signal when it is free"
)]
pub(super) fn pause() {
    thread::sleep(Duration::from_micros(fastrand::u64(LOCK_LOOKS)));
}
