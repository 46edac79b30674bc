//! Layers of `tower` as middleware.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as Poller, Poll};
use std::time::Duration;

use sancho::job;
use sancho::middleware::{Tower, TowerCall};
use sancho::store::TimedSet;
use tower::limit::ConcurrencyLimitLayer;
use tower::timeout::TimeoutLayer;
use tower::{Layer, Service};

use super::wrapped;
use crate::harness::{Flow, Report, Running, field, flows};

#[job]
async fn pending(#[state] to: &Report) {
    to.send("pending".into()).unwrap();
    std::future::pending::<()>().await;
}

async fn a_timeout_of_tower_is_a_failure(flow: Flow) {
    let (server, mut reports) = flow.server();
    let layer = TimeoutLayer::new(Duration::from_millis(20));
    let server = server.only::<pending>().only::<wrapped>();
    let running = Running::start(server.middleware(Tower::new(&layer)));
    pending::set()
        .client(&flow.client)
        .perform_async()
        .await
        .unwrap();
    assert_eq!(reports.next().await, "pending");
    let retry = flow.until_timed(TimedSet::Retry, 1).await;
    assert_eq!(
        field(&retry[0].payload, "error_message"),
        "request timed out"
    );
    assert_eq!(field(&retry[0].payload, "error_class"), "Box<dyn Error>");
    let wrapped = wrapped::set().client(&flow.client);
    wrapped.perform_async(1).await.unwrap();
    assert_eq!(reports.next().await, "job 1");
    running.stop().await;
}

/// Holds its thread until it is told to end.
#[job(retry = 3)]
fn holds(#[state] gate: &Gate, #[state] to: &Report) {
    to.send("holds".into()).unwrap();
    gate.0.lock().unwrap().recv().unwrap();
    to.send("let go".into()).unwrap();
}

struct Gate(std::sync::Mutex<std::sync::mpsc::Receiver<()>>);

async fn a_job_that_middleware_dropped_keeps_its_slot_while_it_runs(flow: Flow) {
    let (server, mut reports) = flow.server();
    let (open, gate) = std::sync::mpsc::channel();
    let layer = TimeoutLayer::new(Duration::from_millis(20));
    let server = server
        .only::<holds>()
        .state(Gate(std::sync::Mutex::new(gate)))
        .middleware(Tower::new(&layer));
    let running = Running::start(server);
    holds::set()
        .client(&flow.client)
        .perform_async()
        .await
        .unwrap();
    assert_eq!(reports.next().await, "holds");
    // It is stuck, and settled as such, before its thread ends; until then its slot is not free.
    let retry = flow.until_timed(TimedSet::Retry, 1).await;
    assert_eq!(field(&retry[0].payload, "error_class"), "sancho::GivenUp");
    open.send(()).unwrap();
    assert_eq!(reports.next().await, "let go");
    running.stop().await;
}

/// How many run now, and how many ran at once at most.
#[derive(Default)]
struct Crowd {
    now: AtomicUsize,
    most: AtomicUsize,
}

#[job]
async fn crowds(#[state] crowd: &Crowd, #[state] to: &Report) {
    let now = crowd.now.fetch_add(1, Ordering::SeqCst) + 1;
    crowd.most.fetch_max(now, Ordering::SeqCst);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    crowd.now.fetch_sub(1, Ordering::SeqCst);
    to.send("done".into()).unwrap();
}

async fn a_limit_of_tower_holds_for_all_jobs_together(flow: Flow) {
    let crowd = Arc::new(Crowd::default());
    let (server, mut reports) = flow.server();
    let layer = ConcurrencyLimitLayer::new(2);
    let server = server
        .only::<crowds>()
        .state_arc(crowd.clone())
        .concurrency(8)
        .middleware(Tower::new(&layer));
    let running = Running::start(server);
    let set = crowds::set().client(&flow.client);
    set.perform_bulk([(); 40]).await.unwrap();
    reports.some(40).await;
    running.stop().await;
    assert_eq!(crowd.most.load(Ordering::SeqCst), 2);
}

/// A layer that somebody wrote for this.
#[derive(Clone)]
struct Telling(Report);

#[derive(Clone)]
struct Tells<S>(S, Report);

impl<S> Layer<S> for Telling {
    type Service = Tells<S>;

    fn layer(&self, inner: S) -> Tells<S> {
        Tells(inner, self.0.clone())
    }
}

impl<'a, S: Service<TowerCall<'a>>> Service<TowerCall<'a>> for Tells<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Poller<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, call: TowerCall<'a>) -> S::Future {
        let class = call.execution().class();
        self.1.send(format!("layer of {class}")).unwrap();
        self.0.call(call)
    }
}

async fn a_layer_of_ones_own_sees_the_job_and_hands_its_failure_on(flow: Flow) {
    let (report, mut told) = Flow::reports();
    let (server, _reports) = flow.server();
    let server = server.only::<wrapped>();
    let running = Running::start(server.middleware(Tower::new(&Telling(report))));
    let set = wrapped::set().client(&flow.client);
    set.perform_async(20).await.unwrap();
    assert_eq!(told.next().await, "layer of Wrapped");
    let retry = flow.until_timed(TimedSet::Retry, 1).await;
    assert_eq!(field(&retry[0].payload, "error_class"), "String");
    assert_eq!(field(&retry[0].payload, "error_message"), "no twenties");
    running.stop().await;
}

flows! {
    a_timeout_of_tower_is_a_failure
    a_job_that_middleware_dropped_keeps_its_slot_while_it_runs
    a_limit_of_tower_holds_for_all_jobs_together
    a_layer_of_ones_own_sees_the_job_and_hands_its_failure_on
}
