//! Bulks: times, spreads, outcomes and streams.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use chrono::Utc;
use futures_core::Stream;
use sancho::client::{ClientMiddleware, ClientNext, NewJob, Stop};
use sancho::job::Timestamp;
use sancho::store::{Census, TimedSet};
use sancho::{BulkError, Config, JobId, PushError, job};
use serde_json::json;
use tokio::sync::mpsc;

use crate::harness::{Flow, field, flows};

#[job]
async fn one(n: i64) {
    let _ = n;
}

#[job]
async fn two(n: i64, name: String) {
    let _ = (n, name);
}

const HOUR: Duration = Duration::from_secs(3_600);

async fn scheduled(flow: &Flow) -> Vec<serde_json::Value> {
    let entries = flow.timed(TimedSet::Schedule).await;
    entries
        .iter()
        .map(|entry| field(&entry.payload, "args"))
        .collect()
}

async fn each_job_has_its_time(flow: Flow) {
    let now = Utc::now();
    let times = [(now + HOUR * 2, 1), (now - HOUR, 2), (now + HOUR, 3)];
    let set = || one::set().client(&flow.client);
    let ids = set().perform_bulk_at(times).await.unwrap();
    assert_eq!(ids.len(), 3);
    assert_eq!(scheduled(&flow).await, [json!([3]), json!([1])]);
    assert_eq!(flow.queue("default").await.len(), 1);

    // Arguments as tuples, and a time that wins over the option.
    set()
        .wait(HOUR * 9)
        .perform_bulk_at([(now + HOUR * 3, (4,))])
        .await
        .unwrap();
    two::set()
        .client(&flow.client)
        .perform_bulk_at(vec![(now + HOUR * 4, (5, "five".to_owned()))])
        .await
        .unwrap();
    let class = flow.client.job("Ruby");
    class
        .perform_bulk_at([(now + HOUR * 5, (6, "six"))])
        .await
        .unwrap();
    let scheduled = scheduled(&flow).await;
    let later = [json!([4]), json!([5, "five"]), json!([6, "six"])];
    assert_eq!(scheduled[2..], later);

    let far = now + chrono::Days::new(365 * 9_000);
    let error = set()
        .perform_bulk_at([(now, 1), (far, 2)])
        .await
        .unwrap_err();
    assert_eq!((error.failed_at, error.accepted.len()), (1, 0));
}

async fn a_spread_is_over_its_interval(flow: Flow) {
    let before = Timestamp::from_wall_clock();
    let set = one::set().client(&flow.client).wait(HOUR).spread(HOUR);
    set.perform_bulk(0..200).await.unwrap();
    let after = Timestamp::from_wall_clock();
    let entries = flow.timed(TimedSet::Schedule).await;
    assert_eq!(entries.len(), 200);
    let times: Vec<_> = entries.iter().map(|entry| entry.at.unwrap()).collect();
    let (first, last) = (times[0], times[199]);
    assert!(first >= before.after(HOUR) && last <= after.after(HOUR * 2));
    // By chance it is less than a half once in 2^190 times.
    assert!(last.since(first) > HOUR / 2, "{first:?} to {last:?}");
}

/// Stops what is unlucky.
struct Luck;

impl ClientMiddleware for Luck {
    async fn call(&self, job: NewJob, next: ClientNext<'_>) -> Result<NewJob, Stop> {
        if job.args == "[1313]" {
            return Err(Stop::because("unlucky"));
        }
        next.run(job).await
    }
}

async fn there_is_an_outcome_for_each_job(flow: Flow) {
    let config = Config::new().middleware(Luck);
    let client = sancho::testing::client_with(flow.store().clone(), &config);
    let set = || one::set().client(&client);
    let outcomes = set().perform_bulk_each(0..2_500).await.unwrap();
    assert_eq!(outcomes.len(), 2_500);
    for (n, outcome) in outcomes.iter().enumerate() {
        assert_eq!(outcome.is_err(), n == 1_313, "{n}: {outcome:?}");
    }
    assert!(matches!(outcomes[1_313], Err(PushError::Stopped { .. })));
    let size = flow.store().census().await.unwrap().queues[0].size;
    assert_eq!(size, 2_499);
    let pushed = flow.queue("default").await;
    let jid = field(pushed[999].as_bytes(), "jid");
    assert_eq!(jid, outcomes[999].as_ref().unwrap().as_str());

    let class = client.job("Ruby").queue("ruby");
    let items = [vec![1.5], vec![f64::NAN], vec![2.5]];
    let outcomes = class.perform_bulk_each(items).await.unwrap();
    assert!(matches!(
        outcomes[..],
        [Ok(_), Err(PushError::Invalid { .. }), Ok(_)]
    ));
    assert_eq!(flow.queue("ruby").await.len(), 2);

    // An id is for one job.
    let named = set().queue("named").jid(JobId::from_text("mine"));
    let outcomes = named.perform_bulk_each([1, 2]).await.unwrap();
    assert!(matches!(
        outcomes[..],
        [Ok(_), Err(PushError::Invalid { .. })]
    ));
}

async fn an_iterator_is_asked_a_slice_at_a_time(flow: Flow) {
    let config = Config::new().middleware(Luck);
    let client = sancho::testing::client_with(flow.store().clone(), &config);
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let items = (0..).inspect(move |_| _ = counted.fetch_add(1, Ordering::SeqCst));
    let error = one::set()
        .client(&client)
        .perform_bulk(items)
        .await
        .unwrap_err();
    assert_eq!((error.accepted.len(), error.failed_at), (1_000, 1_313));
    assert_eq!(asked.load(Ordering::SeqCst), 1_314);
}

/// What a channel gives.
struct Received<T>(mpsc::UnboundedReceiver<T>);

impl<T> Stream for Received<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.poll_recv(cx)
    }
}

async fn a_stream_is_pushed_as_it_comes(flow: Flow) {
    let (to, items) = mpsc::unbounded_channel();
    let set = one::set().client(&flow.client);
    let push = tokio::spawn(set.perform_bulk_stream(Received(items)));
    for n in 0..3_i64 {
        to.send(n).unwrap();
        flow.until("what came is pushed", || async {
            flow.queue("default").await.len() == usize::try_from(n).unwrap() + 1
        })
        .await;
    }
    for n in 3..1_500 {
        to.send(n).unwrap();
    }
    drop(to);
    let ids = push.await.unwrap().unwrap();
    assert_eq!(ids.len(), 1_500);
    let size = flow.store().census().await.unwrap().queues[0].size;
    assert_eq!(size, 1_500);

    let (to, items) = mpsc::unbounded_channel();
    to.send((1, "x".to_owned())).unwrap();
    drop(to);
    let typed = two::set().client(&flow.client).queue("two");
    typed.perform_bulk_stream(Received(items)).await.unwrap();
    let (to, items) = mpsc::unbounded_channel();
    to.send(("x", 1)).unwrap();
    drop(to);
    let class = flow.client.job("Ruby").queue("two");
    class.perform_bulk_stream(Received(items)).await.unwrap();
    assert_eq!(flow.queue("two").await.len(), 2);
}

async fn an_empty_bulk_is_an_error_and_pushes_nothing(flow: Flow) {
    let empty = |error: BulkError| {
        let text = error.to_string();
        assert!(text.starts_with("the bulk of job `"), "{text}");
        assert!(text.contains("nothing was pushed"), "{text}");
        assert_eq!((error.accepted.len(), error.failed_at), (0, 0));
        assert!(error.unknown.is_empty());
        assert!(
            matches!(error.source, PushError::EmptyBulk { .. }),
            "{text}"
        );
    };
    let set = one::set().client(&flow.client).spread(HOUR);
    empty(set.perform_bulk(Vec::<i64>::new()).await.unwrap_err());
    empty(
        set.perform_bulk((0..9).filter(|n| *n > 9))
            .await
            .unwrap_err(),
    );
    let none: [(chrono::DateTime<Utc>, i64); 0] = [];
    empty(set.perform_bulk_at(none).await.unwrap_err());
    let (to, items) = mpsc::unbounded_channel::<i64>();
    drop(to);
    empty(set.perform_bulk_stream(Received(items)).await.unwrap_err());
    let each = set.perform_bulk_each(Vec::<i64>::new()).await;
    assert!(matches!(each, Err(PushError::EmptyBulk { .. })));

    let class = flow.client.job("Ruby");
    let nothing = Vec::<(i64,)>::new;
    empty(flow.client.push_bulk("Ruby", nothing()).await.unwrap_err());
    empty(class.perform_bulk(nothing()).await.unwrap_err());
    let none: [(chrono::DateTime<Utc>, (i64,)); 0] = [];
    empty(class.perform_bulk_at(none).await.unwrap_err());
    let (to, items) = mpsc::unbounded_channel::<(i64,)>();
    drop(to);
    empty(
        class
            .perform_bulk_stream(Received(items))
            .await
            .unwrap_err(),
    );
    let each = class.perform_bulk_each(nothing()).await.unwrap_err();
    assert!(each.to_string().contains("`Ruby` is empty"), "{each}");
    let census = flow.store().census().await.unwrap();
    assert_eq!(census, Census::default());
}

flows! {
    each_job_has_its_time
    a_spread_is_over_its_interval
    there_is_an_outcome_for_each_job
    an_iterator_is_asked_a_slice_at_a_time
    a_stream_is_pushed_as_it_comes
    an_empty_bulk_is_an_error_and_pushes_nothing
}
