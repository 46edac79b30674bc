//! The lane: the task that gathers concurrent pushes into one round trip.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, OnceCell, mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::job::Failure;
use crate::store::{Batch, Commit, Effect, Lane, RECEIPT_TTL, Store, Tx, TxResult, Unavailable};

/// How many transactions share a round trip at most.
const MAX_GROUP: usize = 1_000;

/// How many bytes of payloads share a round trip at most, unless one transaction has more by itself.
const MAX_GROUP_BYTES: usize = 4 << 20;

/// The waits between two attempts: doubled from the first to the last, each with jitter.
const RETRY_WAITS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(250));

/// A transaction on its way to the store.
#[derive(Debug)]
pub(super) struct Submission {
    tx: Tx,
    bytes: usize,
    deadline: Instant,
    taken: Arc<AtomicBool>,
    reply: oneshot::Sender<Reply>,
}

/// What became of it.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    /// The store answered.
    Answered(TxResult),
    /// It certainly was not applied.
    Unavailable(Option<Arc<Unavailable>>),
    /// Its answer was lost.
    Unanswered(Unanswered),
    /// In a test: its job ran at the push, and failed.
    Failed(Arc<Failure>),
    /// In a test: its job was to run at the push, and cannot.
    Unrunnable(String),
}

/// A transaction of a batch whose answer was lost.
#[derive(Clone, Debug)]
pub(super) struct Unanswered {
    batch: Arc<UnansweredBatch>,
    index: usize,
}

#[derive(Debug)]
struct UnansweredBatch {
    store: Arc<dyn Store>,
    batch: Batch,
    /// When the store's receipt may be gone, and the batch must not be repeated any more.
    expires: Instant,
    answer: OnceCell<Vec<TxResult>>,
}

/// The sending end. The task ends when the last one is dropped.
#[derive(Clone, Debug)]
pub(super) struct Pusher {
    store: Arc<dyn Store>,
    sender: mpsc::UnboundedSender<Submission>,
    /// Those of whoever sends by itself.
    numbers: Arc<Mutex<Numbers>>,
    /// How many wait for an answer.
    waiting: Arc<AtomicUsize>,
    timeout: Duration,
}

/// The lane, and the number of its last batch.
#[derive(Debug)]
struct Numbers {
    lane: Lane,
    seq: u64,
}

impl Numbers {
    fn new() -> Self {
        Self {
            lane: Lane::random(),
            seq: 0,
        }
    }

    /// Takes the lane for one batch. Unless it is given back, the next batch goes through a new one: so a batch that may
    /// be repeated, or whose sender was dropped, keeps its number for itself.
    fn take(&mut self) -> Self {
        std::mem::replace(self, Self::new())
    }

    fn batch(&self, txs: Vec<Tx>) -> Batch {
        Batch {
            lane: self.lane.clone(),
            seq: self.seq + 1,
            txs,
        }
    }

    fn after_batch(self) -> Self {
        Self {
            seq: self.seq + 1,
            ..self
        }
    }
}

/// One that waits for an answer.
struct Counted<'a>(&'a AtomicUsize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Pusher {
    /// Starts the task on the current runtime.
    pub(super) fn start(store: Arc<dyn Store>, timeout: Duration) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(run(store.clone(), receiver));
        Self {
            store,
            sender,
            numbers: Arc::new(Mutex::new(Numbers::new())),
            waiting: Arc::default(),
            timeout,
        }
    }

    /// Sends a transaction and waits for its answer, for the client's timeout at most.
    ///
    /// # Cancel safety
    /// A transaction whose future is dropped before it is sent does not happen.
    pub(super) async fn submit(&self, tx: Tx) -> Reply {
        let deadline = Instant::now() + self.timeout;
        let alone = self.waiting.fetch_add(1, Ordering::Relaxed) == 0;
        let _counted = Counted(&self.waiting);
        // Who is alone sends by itself, which saves two switches between tasks; others gather.
        if alone && let Ok(mut numbers) = self.numbers.try_lock() {
            return self.send(&mut numbers, tx, deadline).await;
        }
        self.gather(tx, deadline).await
    }

    async fn send(&self, numbers: &mut Numbers, tx: Tx, deadline: Instant) -> Reply {
        let lane = numbers.take();
        let batch = lane.batch(vec![tx]);
        match commit(self.store.as_ref(), &batch, deadline).await {
            Ok(results) => {
                *numbers = lane.after_batch();
                results
                    .into_iter()
                    .next()
                    .map_or(Reply::Unavailable(None), Reply::Answered)
            }
            Err(Unanswerable {
                may_be_applied: false,
                error,
            }) => Reply::Unavailable(error),
            Err(_) => Reply::Unanswered(Unanswered {
                batch: UnansweredBatch::new(&self.store, batch),
                index: 0,
            }),
        }
    }

    async fn gather(&self, tx: Tx, deadline: Instant) -> Reply {
        let bytes = tx
            .then
            .iter()
            .map(|effect| {
                if let Effect::Put(payload, _) = effect {
                    payload.len()
                } else {
                    0
                }
            })
            .sum();
        let taken = Arc::new(AtomicBool::new(false));
        let (reply, mut answer) = oneshot::channel();
        if self
            .sender
            .send(Submission {
                tx,
                bytes,
                deadline,
                taken: taken.clone(),
                reply,
            })
            .is_err()
        {
            return Reply::Unavailable(None);
        }
        tokio::select! {
            biased;
            reply = &mut answer => return reply.unwrap_or(Reply::Unavailable(None)),
            () = sleep_until(deadline) => {}
        }
        // Whoever sets the flag first decides: here, it is never sent; in the task, the answer is worth waiting for.
        if taken.swap(true, Ordering::AcqRel) {
            answer.await.unwrap_or(Reply::Unavailable(None))
        } else {
            Reply::Unavailable(None)
        }
    }

    /// How long a push may take.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }
}

async fn run(store: Arc<dyn Store>, mut receiver: mpsc::UnboundedReceiver<Submission>) {
    // A lane of its own: it must not wait for who sends by itself, whose future may be kept and not be polled any more.
    let mut numbers = Numbers::new();
    let mut left = None;
    loop {
        let Some(first) = (match left.take() {
            Some(submission) => Some(submission),
            None => receiver.recv().await,
        }) else {
            return;
        };
        let (txs, waiting, rest) = gather(first, &mut receiver);
        left = rest;
        let Some(deadline) = waiting.iter().map(|waiting| waiting.deadline).min() else {
            continue;
        };
        let lane = numbers.take();
        let batch = lane.batch(txs);
        match commit(store.as_ref(), &batch, deadline).await {
            Ok(results) => {
                numbers = lane.after_batch();
                for (Waiting { reply, .. }, result) in waiting.into_iter().zip(results) {
                    let _ = reply.send(Reply::Answered(result));
                }
            }
            Err(Unanswerable {
                may_be_applied: false,
                error,
            }) => {
                for Waiting { reply, .. } in waiting {
                    let _ = reply.send(Reply::Unavailable(error.clone()));
                }
            }
            Err(Unanswerable {
                may_be_applied: true,
                ..
            }) => give_up(&store, batch, waiting),
        }
    }
}

struct Waiting {
    reply: oneshot::Sender<Reply>,
    deadline: Instant,
}

/// The transactions of a batch, and the submission that it could not take in.
///
/// A batch is given up at the earliest of its deadlines, so what is nearly out of time is not sent together with what is
/// new: that would be given up with it. The deadlines of those that share a batch leave half of the time to the newest.
fn gather(
    first: Submission,
    receiver: &mut mpsc::UnboundedReceiver<Submission>,
) -> (Vec<Tx>, Vec<Waiting>, Option<Submission>) {
    let now = Instant::now();
    let mut txs = Vec::new();
    let mut waiting: Vec<Waiting> = Vec::new();
    let mut bytes = 0;
    let mut next = Some(first);
    while let Some(submission) = next {
        if let Some(oldest) = waiting.first()
            && is_half_used(oldest.deadline, submission.deadline, now)
        {
            return (txs, waiting, Some(submission));
        }
        if !submission.reply.is_closed() && !submission.taken.swap(true, Ordering::AcqRel) {
            bytes += submission.bytes;
            txs.push(submission.tx);
            waiting.push(Waiting {
                reply: submission.reply,
                deadline: submission.deadline,
            });
        }
        let full = waiting.len() >= MAX_GROUP || bytes >= MAX_GROUP_BYTES;
        next = if full { None } else { receiver.try_recv().ok() };
    }
    (txs, waiting, None)
}

/// Whether the time until the one deadline is less than half of that until the other.
fn is_half_used(older: Instant, newer: Instant, now: Instant) -> bool {
    older.saturating_duration_since(now) < newer.saturating_duration_since(now) / 2
}

struct Unanswerable {
    may_be_applied: bool,
    error: Option<Arc<Unavailable>>,
}

/// Commits the batch, again and again until the deadline: repeating it is safe, since the store knows its number.
async fn commit(
    store: &dyn Store,
    batch: &Batch,
    deadline: Instant,
) -> Result<Vec<TxResult>, Unanswerable> {
    let mut failed = Unanswerable {
        may_be_applied: false,
        error: None,
    };
    let (mut wait, longest) = RETRY_WAITS;
    loop {
        match timeout_at(deadline, store.commit(batch)).await {
            Ok(Ok(Commit::Done(results))) => return Ok(results),
            // Nobody else uses this lane: a stale number means that the store has lost the receipt's order.
            Ok(Ok(Commit::Stale)) | Err(_) => {
                return Err(Unanswerable {
                    may_be_applied: true,
                    ..failed
                });
            }
            Ok(Err(error)) => {
                failed.may_be_applied |= !error.is_unsent();
                failed.error = Some(Arc::new(error));
            }
        }
        let pause = wait.mul_f64(0.5 + fastrand::f64() / 2.0);
        if Instant::now() + pause >= deadline {
            return Err(failed);
        }
        sleep(pause).await;
        wait = (wait * 2).min(longest);
    }
}

fn give_up(store: &Arc<dyn Store>, batch: Batch, waiting: Vec<Waiting>) {
    let batch = UnansweredBatch::new(store, batch);
    for (index, Waiting { reply, .. }) in waiting.into_iter().enumerate() {
        let _ = reply.send(Reply::Unanswered(Unanswered {
            batch: batch.clone(),
            index,
        }));
    }
}

impl UnansweredBatch {
    fn new(store: &Arc<dyn Store>, batch: Batch) -> Arc<Self> {
        // A margin for the time between the store's receipt and this clock.
        let expires = Instant::now() + RECEIPT_TTL - Duration::from_secs(5);
        Arc::new(Self {
            store: store.clone(),
            batch,
            expires,
            answer: OnceCell::new(),
        })
    }
}

impl Unanswered {
    /// Repeats the batch that this transaction was in; `None` where there is no answer again, or it is too late to ask.
    pub(super) async fn repeat(&self, timeout: Duration) -> Option<TxResult> {
        let UnansweredBatch {
            store,
            batch,
            expires,
            answer,
        } = &*self.batch;
        let deadline = (Instant::now() + timeout).min(*expires);
        let results = answer
            .get_or_try_init(|| async {
                if Instant::now() >= deadline {
                    return Err(());
                }
                commit(store.as_ref(), batch, deadline)
                    .await
                    .map_err(|_| ())
            })
            .await;
        results.ok()?.get(self.index).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is gathered at once of submissions with so many seconds left.
    async fn gathered(seconds: &[u64]) -> Vec<Vec<u64>> {
        let now = Instant::now();
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let mut replies = Vec::new();
        for seconds in seconds {
            let (reply, answer) = oneshot::channel();
            replies.push(answer);
            let submission = Submission {
                tx: Tx::default(),
                bytes: 1,
                deadline: now + Duration::from_secs(*seconds),
                taken: Arc::default(),
                reply,
            };
            sender.send(submission).unwrap();
        }
        let mut batches = Vec::new();
        let mut next = receiver.try_recv().ok();
        while let Some(first) = next {
            let (txs, waiting, rest) = gather(first, &mut receiver);
            assert_eq!(txs.len(), waiting.len());
            let left = waiting
                .iter()
                .map(|waiting| (waiting.deadline - now).as_secs());
            batches.push(left.collect());
            next = rest;
        }
        batches
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_leaves_half_of_its_time_to_the_newest() {
        assert_eq!(gathered(&[10, 15, 20]).await, [[10, 15, 20]]);
        assert_eq!(
            gathered(&[0, 1, 2, 3, 20, 30]).await,
            [vec![0], vec![1, 2], vec![3], vec![20, 30]]
        );
    }
}
