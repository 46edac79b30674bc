//! What a process tells of itself, and that it obeys what it is told through the store.

use std::time::Duration;

use bytes::Bytes;
use sancho::job;
use sancho::store::{Batch, Effect, Fields, Guard, Lane, Members, Tx, keys};
use tokio::sync::Semaphore;

use crate::harness::{Flow, Report, Running, flows};

/// Lets jobs end.
type Gate = Semaphore;

#[job(queue = "default")]
async fn waits(n: u32, #[state] to: &Report, #[state] gate: &Gate) {
    to.send(n.to_string()).unwrap();
    gate.acquire().await.unwrap().forget();
}

#[job]
async fn fails(#[state] to: &Report) -> Result<(), String> {
    to.send("failed".into()).unwrap();
    Err("it fails".into())
}

async fn identity(flow: &Flow) -> String {
    flow.until("a process is shown", || async {
        processes(flow).await.len() == 1
    })
    .await;
    processes(flow).await.remove(0)
}

async fn processes(flow: &Flow) -> Vec<String> {
    flow.store().members(Members::Processes).await.unwrap()
}

async fn hash(flow: &Flow, key: sancho::store::Key) -> Fields {
    flow.store().fields(&[key]).await.unwrap().remove(0)
}

async fn value(flow: &Flow, identity: &str, field: &str) -> String {
    let hash = hash(flow, keys::process(identity)).await;
    let value = hash.iter().find(|(name, _)| name == field);
    value.map_or_else(String::new, |(_, value)| {
        String::from_utf8(value.to_vec()).unwrap()
    })
}

/// As the API and Sidekiq's Web UI do.
async fn tell(flow: &Flow, identity: &str, order: &'static str) {
    let append = Effect::Append {
        key: keys::signals(identity),
        item: Bytes::from_static(order.as_bytes()),
        ttl: Duration::from_secs(60),
    };
    commit(flow, Tx::always(vec![append])).await;
}

async fn commit(flow: &Flow, tx: Tx) {
    let batch = Batch {
        lane: Lane::random(),
        seq: 1,
        txs: vec![tx],
    };
    flow.store().commit(&batch).await.unwrap();
}

async fn a_process_is_shown_with_what_it_runs_and_leaves_nothing_but_its_hash(flow: Flow) {
    let (server, mut reports) = flow.server();
    let server = server.state(Gate::new(0)).concurrency(7).tag("shop");
    let running = Running::start(server.only::<waits>());
    waits::set()
        .client(&flow.client)
        .perform_bulk([1, 2])
        .await
        .unwrap();
    reports.some(2).await;
    let identity = identity(&flow).await;
    flow.until("both are shown", || async {
        value(&flow, &identity, "busy").await == "2"
    })
    .await;
    let pid = std::process::id().to_string();
    assert_eq!(identity.split(':').nth(1), Some(&*pid), "{identity}");
    let info: serde_json::Value =
        serde_json::from_str(&value(&flow, &identity, "info").await).unwrap();
    assert_eq!(info["identity"], identity);
    assert_eq!(info["tag"], "shop");
    assert_eq!(value(&flow, &identity, "concurrency").await, "7");
    assert_eq!(value(&flow, &identity, "quiet").await, "false");
    assert!(value(&flow, &identity, "rss").await.parse::<u64>().unwrap() > 1_000);

    let work = hash(&flow, keys::work(&identity)).await;
    assert_eq!(work.len(), 2);
    let (_, first) = &work[0];
    let first: serde_json::Value = serde_json::from_slice(first).unwrap();
    assert_eq!(first["queue"], "default");
    let payload: serde_json::Value =
        serde_json::from_str(first["payload"].as_str().unwrap()).unwrap();
    assert_eq!(payload["class"], "Waits");
    assert!(hash(&flow, keys::workers(&identity)).await.is_empty());

    let stopping = running.begin_stop();
    flow.until("it is seen to stop", || async {
        value(&flow, &identity, "quiet").await == "true"
    })
    .await;
    stopping.kill().await;
    assert_eq!(processes(&flow).await, [identity]);
}

async fn a_process_that_stops_is_shown_no_more(flow: Flow) {
    let (server, mut reports) = flow.server();
    let running = Running::start(server.state(Gate::new(9)).only::<waits>());
    waits::set()
        .client(&flow.client)
        .perform_async(1)
        .await
        .unwrap();
    reports.next().await;
    let identity = identity(&flow).await;
    running.stop().await;
    assert!(processes(&flow).await.is_empty());
    assert!(hash(&flow, keys::work(&identity)).await.is_empty());
}

async fn a_process_that_is_told_to_be_quiet_ends_what_it_runs_and_takes_nothing_more(flow: Flow) {
    let (server, mut reports) = flow.server();
    let server = server.state(Gate::new(0)).concurrency(1);
    let server = server.only::<waits>().build().unwrap();
    let handle = server.handle();
    let running = Running::run(server);
    waits::set()
        .client(&flow.client)
        .perform_bulk([1, 2])
        .await
        .unwrap();
    assert_eq!(reports.next().await, "1");
    let identity = identity(&flow).await;
    tell(&flow, &identity, "TSTP").await;
    flow.until("it is quiet", || async { handle.is_quiet() })
        .await;
    flow.until("it says so", || async {
        value(&flow, &identity, "quiet").await == "true"
    })
    .await;
    assert_eq!(flow.queue("default").await.len(), 1);
    assert!(reports.is_silent());
    assert!(
        flow.store()
            .list(&keys::signals(&identity))
            .await
            .unwrap()
            .is_empty()
    );
    running.kill().await;
}

async fn a_process_that_is_told_to_stop_stops(flow: Flow) {
    let (server, _reports) = flow.server();
    let running = Running::start(server.state(Gate::new(0)).only::<waits>());
    let identity = identity(&flow).await;
    tell(&flow, &identity, "NONSENSE").await;
    tell(&flow, &identity, "TTIN").await;
    tell(&flow, &identity, "TERM").await;
    running.ended().await;
    assert!(processes(&flow).await.is_empty());
}

async fn processes_that_are_gone_are_taken_out_of_the_set(flow: Flow) {
    let join = Effect::Join(Members::Processes, "gone:1:abc".into());
    commit(&flow, Tx::always(vec![join])).await;
    let (server, _reports) = flow.server();
    let running = Running::start(server.state(Gate::new(0)).only::<waits>());
    flow.until("only the living one is shown", || async {
        processes(&flow)
            .await
            .iter()
            .all(|name| name != "gone:1:abc")
            && processes(&flow).await.len() == 1
    })
    .await;
    // Not looked for again for a minute, by whomever.
    let cleanup = keys::PROCESS_CLEANUP.into();
    let guarded = Tx::when(
        Guard::Absent(cleanup),
        vec![Effect::Join(Members::Paused, "x".into())],
    );
    commit(&flow, guarded).await;
    assert!(
        flow.store()
            .members(Members::Paused)
            .await
            .unwrap()
            .is_empty()
    );
    running.stop().await;
}

async fn executions_are_counted_by_class_and_minute(flow: Flow) {
    let (server, mut reports) = flow.server();
    let server = server.state(Gate::new(9));
    let running = Running::start(server.only::<waits>().only::<fails>());
    waits::set()
        .client(&flow.client)
        .perform_bulk([1, 2])
        .await
        .unwrap();
    fails::set()
        .client(&flow.client)
        .perform_async()
        .await
        .unwrap();
    reports.some(3).await;
    flow.until("all are settled", || async { flow.counters().await.0 == 3 })
        .await;
    let now = flow.now().into();
    running.stop().await;
    for key in [keys::minute(now), keys::ten_minutes(now)] {
        let counts = hash(&flow, key).await;
        let count = |name: &str| {
            let found = counts.iter().find(|(field, _)| field == name);
            found.map(|(_, n)| String::from_utf8(n.to_vec()).unwrap())
        };
        assert_eq!(count("Waits|p").as_deref(), Some("2"));
        assert_eq!(count("Waits|f"), None);
        assert!(count("Waits|ms").is_some());
        assert_eq!(count("Fails|p").as_deref(), Some("1"));
        assert_eq!(count("Fails|f").as_deref(), Some("1"));
        assert_eq!(count("Fails|ms"), None);
    }
    let histogram = flow
        .store()
        .values(&[keys::histogram("Waits", now)])
        .await
        .unwrap();
    let histogram = histogram[0].as_ref().unwrap();
    let sum: u32 = histogram
        .chunks(2)
        .map(|bucket| u32::from(u16::from_be_bytes([bucket[0], bucket[1]])))
        .sum();
    assert_eq!(sum, 2);
}

async fn counts_that_the_store_cannot_take_keep_no_process_from_leaving(flow: Flow) {
    let minute = keys::minute(flow.now().into());
    let set = Effect::Set {
        key: minute.clone(),
        value: Bytes::from_static(b"no hash"),
        ttl: None,
    };
    flow.apply(vec![set]).await;
    let (server, mut reports) = flow.server();
    let running = Running::start(server.state(Gate::new(9)).only::<waits>());
    waits::set()
        .client(&flow.client)
        .perform_async(1)
        .await
        .unwrap();
    reports.next().await;
    flow.until("it is settled", || async { flow.counters().await.0 == 1 })
        .await;
    identity(&flow).await;
    running.stop().await;
    assert!(processes(&flow).await.is_empty());
    let values = flow.store().values(&[minute]).await.unwrap();
    assert_eq!(values[0].as_deref(), Some(&b"no hash"[..]));
}

flows! {
    counts_that_the_store_cannot_take_keep_no_process_from_leaving
    a_process_is_shown_with_what_it_runs_and_leaves_nothing_but_its_hash
    a_process_that_stops_is_shown_no_more
    a_process_that_is_told_to_be_quiet_ends_what_it_runs_and_takes_nothing_more
    a_process_that_is_told_to_stop_stops
    processes_that_are_gone_are_taken_out_of_the_set
    executions_are_counted_by_class_and_minute
}
