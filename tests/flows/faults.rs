//! A store that fails, goes away, or loses its answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use sancho::api::{Acted, ApiError};
use sancho::store::memory::MemoryStore;
use sancho::store::{
    Answer, Batch, Census, Claim, ClaimRequest, Claimed, Commit, Defect, Due, Fields, Inspect,
    Interest, Key, Members, Order, Owner, OwnerInfo, Page, PlaceName, Registration, Renewed, Stat,
    Store, TimedSet, TxResult, Unavailable,
};
use sancho::{Config, PushError, job};

use crate::harness::{Flow, Report, Running};

#[job]
async fn reports(n: u8, #[state] to: &Report) {
    to.send(n.to_string()).unwrap();
}

/// What goes wrong with the next calls, by how many of them.
#[derive(Debug, Default)]
struct Faults {
    /// Commits whose transactions fail.
    failed: AtomicUsize,
    /// Calls that do not arrive.
    unsent: AtomicUsize,
    /// Calls that are applied, with their answer lost.
    unanswered: AtomicUsize,
    /// How many commits came.
    commits: AtomicUsize,
}

#[derive(Debug)]
struct Faulty {
    inner: MemoryStore,
    faults: Arc<Faults>,
}

fn faulty() -> (Flow, Arc<Faults>) {
    let faults = Arc::new(Faults::default());
    let flow = Flow::over(|clock| {
        Arc::new(Faulty {
            inner: MemoryStore::with_clock(clock),
            faults: faults.clone(),
        })
    });
    (flow, faults)
}

fn strikes(count: &AtomicUsize) -> bool {
    count
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            left.checked_sub(1)
        })
        .is_ok()
}

impl Faulty {
    fn struck<'a, T: Send + 'a>(&'a self, call: Answer<'a, T>) -> Answer<'a, T> {
        if strikes(&self.faults.unsent) {
            return Box::pin(async { Err(Unavailable::new("test", "it is away").unsent()) });
        }
        Box::pin(async move {
            let answer = call.await?;
            if strikes(&self.faults.unanswered) {
                Err(Unavailable::new("test", "the answer was lost"))
            } else {
                Ok(answer)
            }
        })
    }
}

impl Store for Faulty {
    fn commit<'a>(&'a self, batch: &'a Batch) -> Answer<'a, Commit> {
        self.faults.commits.fetch_add(1, Ordering::SeqCst);
        if strikes(&self.faults.failed) {
            let failed = batch
                .txs
                .iter()
                .map(|_| TxResult::Failed {
                    error: "OOM".into(),
                })
                .collect();
            return Box::pin(async { Ok(Commit::Done(failed)) });
        }
        self.struck(self.inner.commit(batch))
    }
    fn claim<'a>(&'a self, request: &'a ClaimRequest) -> Answer<'a, Claim> {
        self.struck(self.inner.claim(request))
    }
    fn renew<'a>(
        &'a self,
        owner: &'a Owner,
        lease: Duration,
        registration: Registration,
    ) -> Answer<'a, Renewed> {
        self.struck(self.inner.renew(owner, lease, registration))
    }
    fn take_over<'a>(
        &'a self,
        owner: &'a Owner,
        seq: u64,
        from: &'a Owner,
        limit: usize,
    ) -> Answer<'a, Claim> {
        self.struck(self.inner.take_over(owner, seq, from, limit))
    }
    fn wait<'a>(&'a self, interest: &'a Interest, timeout: Duration) -> Answer<'a, ()> {
        self.inner.wait(interest, timeout)
    }

    fn repair<'a>(&'a self, defect: &'a Defect) -> Answer<'a, bool> {
        self.inner.repair(defect)
    }
}

impl Inspect for Faulty {
    fn page<'a>(
        &'a self,
        place: &'a PlaceName,
        order: Order,
        cursor: u64,
        limit: usize,
    ) -> Answer<'a, Page> {
        self.inner.page(place, order, cursor, limit)
    }
    fn scan<'a>(
        &'a self,
        set: TimedSet,
        text: &'a str,
        cursor: u64,
        limit: usize,
    ) -> Answer<'a, Page> {
        self.inner.scan(set, text, cursor, limit)
    }
    fn due(&self, set: TimedSet, now: job::Timestamp, limit: usize) -> Answer<'_, Due> {
        self.inner.due(set, now, limit)
    }
    fn find<'a>(&'a self, set: TimedSet, payload: &'a [u8]) -> Answer<'a, Option<job::Timestamp>> {
        self.inner.find(set, payload)
    }
    fn at(&self, set: TimedSet, at: job::Timestamp, cursor: u64, limit: usize) -> Answer<'_, Page> {
        self.inner.at(set, at, cursor, limit)
    }
    fn census(&self) -> Answer<'_, Census> {
        self.inner.census()
    }
    fn counters<'a>(&'a self, which: &'a [(Stat, Option<&'a str>)]) -> Answer<'a, Vec<u64>> {
        self.inner.counters(which)
    }
    fn values<'a>(&'a self, keys: &'a [Key]) -> Answer<'a, Vec<Option<Bytes>>> {
        self.inner.values(keys)
    }
    fn fields<'a>(&'a self, keys: &'a [Key]) -> Answer<'a, Vec<Fields>> {
        self.inner.fields(keys)
    }
    fn list<'a>(&'a self, key: &'a Key) -> Answer<'a, Vec<Bytes>> {
        self.inner.list(key)
    }
    fn members(&self, set: Members) -> Answer<'_, Vec<String>> {
        self.inner.members(set)
    }
    fn owners(&self) -> Answer<'_, Vec<OwnerInfo>> {
        self.inner.owners()
    }
    fn claims<'a>(&'a self, owner: &'a Owner, limit: usize) -> Answer<'a, Vec<Claimed>> {
        self.inner.claims(owner, limit)
    }
    fn check(&self) -> Answer<'_, Vec<Defect>> {
        self.inner.check()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_that_the_store_cannot_take_is_tried_again_and_counted_once() {
    let (flow, faults) = faulty();
    reports::set()
        .client(&flow.client)
        .perform_bulk(0..3)
        .await
        .unwrap();
    faults.failed.store(3, Ordering::SeqCst);
    let (server, mut seen) = flow.server();
    let running = Running::start(server.only::<reports>());
    seen.some(3).await;
    flow.until("all three are settled", || async {
        flow.counters().await.0 == 3
    })
    .await;
    assert!(seen.is_silent());
    running.stop().await;
    assert_eq!(flow.store().census().await.unwrap().claimed, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_engine_outlives_a_store_that_is_away_and_answers_that_are_lost() {
    let (flow, faults) = faulty();
    let (server, mut seen) = flow.server();
    let running = Running::start(server.only::<reports>());
    // A store that is away when a server starts is another thing.
    flow.until("the server has started", || async {
        !flow.store().owners().await.unwrap().is_empty()
    })
    .await;
    for round in 0..4 {
        reports::set()
            .client(&flow.client)
            .perform_bulk(0..20)
            .await
            .unwrap();
        faults.unsent.store(2, Ordering::SeqCst);
        faults.unanswered.store(2, Ordering::SeqCst);
        seen.some(20).await;
        flow.until("all are settled", || async {
            flow.counters().await.0 == 20 * (round + 1)
        })
        .await;
    }
    assert!(seen.is_silent());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_push_to_a_store_that_is_away_fails_in_time() {
    let (flow, faults) = faulty();
    faults.unsent.store(usize::MAX, Ordering::SeqCst);
    let start = tokio::time::Instant::now();
    let error = reports::set()
        .client(&flow.client)
        .perform_async(1)
        .await
        .unwrap_err();
    assert!(matches!(error, PushError::Unavailable { .. }), "{error}");
    assert!(
        start.elapsed() <= Duration::from_millis(3_100),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_bulk_with_outcomes_goes_on_as_long_as_there_is_an_answer() {
    let (flow, faults) = faulty();
    let set = || reports::set().client(&flow.client);
    let bulk = || set().perform_bulk_each([1; 2_500]);
    // What the store refuses, it refuses for a slice.
    faults.failed.store(1, Ordering::SeqCst);
    let outcomes = bulk().await.unwrap();
    let refused = |outcome: &Result<_, _>| matches!(outcome, Err(PushError::Refused { .. }));
    assert!(outcomes[..1_000].iter().all(refused));
    assert!(outcomes[1_000..].iter().all(Result::is_ok));

    // The first slice takes all the time of its push; the others are not tried.
    faults.unsent.store(usize::MAX, Ordering::SeqCst);
    let start = tokio::time::Instant::now();
    let outcomes = bulk().await.unwrap();
    assert_eq!(outcomes.len(), 2_500);
    let away = |outcome: &Result<_, _>| matches!(outcome, Err(PushError::Unavailable { .. }));
    assert!(outcomes.iter().all(away));
    assert!(start.elapsed() <= Duration::from_millis(3_100));
    faults.unsent.store(0, Ordering::SeqCst);

    // An answer that was lost is asked for again.
    faults.unanswered.store(1, Ordering::SeqCst);
    assert!(bulk().await.unwrap().iter().all(Result::is_ok));
    let size = flow.store().census().await.unwrap().queues[0].size;
    assert_eq!(size, 4_000);
}

#[tokio::test(start_paused = true)]
async fn a_push_whose_answer_is_lost_for_good_is_unknown_and_applied_once_when_it_is_repeated() {
    let (flow, faults) = faulty();
    faults.unanswered.store(usize::MAX, Ordering::SeqCst);
    let config = Config::new().push_timeout(Duration::from_millis(500));
    let client = sancho::testing::client_with(flow.store().clone(), &config);
    let mut push = reports::set().client(&client).perform_async(1);
    let error = (&mut push).await.unwrap_err();
    assert!(matches!(error, PushError::Unknown { .. }), "{error}");
    assert!(matches!(
        (&mut push).await.unwrap_err(),
        PushError::Unknown { .. }
    ));
    faults.unanswered.store(0, Ordering::SeqCst);
    // Other pushes go on meanwhile.
    reports::set()
        .client(&client)
        .perform_async(2)
        .await
        .unwrap();
    push.await.unwrap();
    assert_eq!(flow.queue("default").await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_push_is_not_repeated_once_its_receipt_may_be_gone() {
    let (flow, faults) = faulty();
    faults.unanswered.store(usize::MAX, Ordering::SeqCst);
    let mut push = reports::set().client(&flow.client).perform_async(1);
    assert!(matches!(
        (&mut push).await.unwrap_err(),
        PushError::Unknown { .. }
    ));
    faults.unanswered.store(0, Ordering::SeqCst);
    tokio::time::advance(sancho::store::RECEIPT_TTL).await;
    let commits = faults.commits.load(Ordering::SeqCst);
    assert!(matches!(push.await.unwrap_err(), PushError::Unknown { .. }));
    assert_eq!(faults.commits.load(Ordering::SeqCst), commits);
    assert_eq!(flow.queue("default").await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_action_whose_answer_is_lost_is_done_once() {
    let (flow, faults) = faulty();
    let queue = flow.api().queue("q").unwrap();
    for round in 1..=3 {
        faults.unanswered.store(round, Ordering::SeqCst);
        faults.unsent.store(round, Ordering::SeqCst);
        queue.put(r#"{"class":"A","args":[]}"#).await.unwrap();
        assert_eq!(flow.queue("q").await.len(), round);
    }
    let job = queue.each().next().await.unwrap().unwrap();
    faults.unanswered.store(2, Ordering::SeqCst);
    assert_eq!(queue.delete(&job).await.unwrap(), Acted::Done);
    assert_eq!(flow.queue("q").await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_action_that_gets_no_answer_ends_and_says_what_is_known() {
    let (flow, faults) = faulty();
    let queue = flow.api().queue("q").unwrap();
    let put = || queue.put(r#"{"class":"A","args":[]}"#);
    let start = tokio::time::Instant::now();
    faults.unsent.store(usize::MAX, Ordering::SeqCst);
    let error = put().await.unwrap_err();
    assert!(matches!(error, ApiError::Unavailable { .. }), "{error}");
    assert!(start.elapsed() <= Duration::from_secs(10));
    faults.unsent.store(0, Ordering::SeqCst);
    assert!(flow.queue("q").await.is_empty());

    faults.unanswered.store(usize::MAX, Ordering::SeqCst);
    let error = put().await.unwrap_err();
    assert!(matches!(error, ApiError::Unknown { .. }), "{error}");
    faults.unanswered.store(0, Ordering::SeqCst);
    assert_eq!(flow.queue("q").await.len(), 1);

    faults.failed.store(1, Ordering::SeqCst);
    let error = put().await.unwrap_err();
    assert!(matches!(error, ApiError::Refused { .. }), "{error}");
    assert!(error.to_string().ends_with("OOM"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_was_refused_goes_on_when_it_is_asked_again() {
    let (flow, faults) = faulty();
    let set = flow.api().dead();
    for n in 0..150 {
        let job = format!(r#"{{"class":"A","args":[{n}],"jid":"{n}"}}"#);
        set.put(flow.now(), job).await.unwrap();
    }
    let mut sweep = set.retry_all();
    assert_eq!(sweep.next().await.unwrap().unwrap().done, 100);
    faults.failed.store(1, Ordering::SeqCst);
    let error = sweep.next().await.unwrap_err();
    assert!(matches!(error, ApiError::Refused { .. }), "{error}");
    let progress = sweep.finish().await.unwrap();
    assert_eq!((progress.looked_at, progress.done), (150, 150));
    assert_eq!(flow.queue("default").await.len(), 150);
}

/// Lets time pass in steps that every timer notices.
async fn pass(time: Duration) {
    const STEP: Duration = Duration::from_millis(5);
    let end = tokio::time::Instant::now() + time;
    while tokio::time::Instant::now() < end {
        tokio::time::advance(STEP).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_push_that_runs_out_of_time_does_not_take_a_newer_one_with_it() {
    let (flow, faults) = faulty();
    faults.unsent.store(usize::MAX, Ordering::SeqCst);
    let push = |n| tokio::spawn(reports::set().client(&flow.client).perform_async(n));
    // The first keeps the lane until its three seconds are over; the others wait behind it.
    let first = push(1);
    pass(Duration::from_millis(100)).await;
    let old = push(2);
    pass(Duration::from_millis(2_800)).await;
    let new = push(3);
    pass(Duration::from_millis(600)).await;
    faults.unsent.store(0, Ordering::SeqCst);
    new.await.unwrap().unwrap();
    for push in [first, old] {
        let error = push.await.unwrap().unwrap_err();
        assert!(matches!(error, PushError::Unavailable { .. }), "{error}");
    }
    assert_eq!(flow.queue("default").await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_push_that_nobody_polls_any_more_holds_up_no_other() {
    let (flow, faults) = faulty();
    faults.unsent.store(1, Ordering::SeqCst);
    let push = |n| reports::set().client(&flow.client).perform_async(n);
    // It waits for its second attempt, and is neither polled nor dropped.
    let mut idle = std::pin::pin!(push(1).into_future());
    std::future::poll_fn(|cx| {
        assert!(idle.as_mut().poll(cx).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
    for n in 2..5 {
        push(n).await.unwrap();
    }
    idle.await.unwrap();
    assert_eq!(flow.queue("default").await.len(), 4);
}

#[tokio::test]
async fn a_bulk_of_large_arguments_goes_in_several_slices() {
    let (flow, faults) = faulty();
    let large: Arc<str> = "x".repeat(33 << 20).into();
    let items = (0..3).map(move |n| (n, large.clone()));
    let ids = flow.client.push_bulk("Large", items).await.unwrap();
    assert_eq!(ids.len(), 3);
    assert_eq!(faults.commits.load(Ordering::SeqCst), 2);
    assert_eq!(flow.store().census().await.unwrap().queues[0].size, 3);
}
