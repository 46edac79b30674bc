//! Lifecycle hooks and error handlers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sancho::engine::{ErrorHandler, Event, ExecutionError};
use sancho::job;
use sancho::runtime::ServerBuilder;
use sancho::store::{Members, TimedSet};
use tokio::sync::Semaphore;

use crate::harness::{Flow, Report, Running, flows};

#[job]
async fn hooked(n: i64, #[state] to: &Report) -> Result<(), String> {
    to.send(format!("job {n}")).unwrap();
    match n {
        0 => Err("no zeros".into()),
        1 => panic!("no ones"),
        _ => Ok(()),
    }
}

#[job(timeout = "1s")]
async fn forever() {
    std::future::pending::<()>().await;
}

const EVENTS: [Event; 6] = [
    Event::Startup,
    Event::Quiet,
    Event::Shutdown,
    Event::Exit,
    Event::Heartbeat,
    Event::Beat,
];

/// Reports every event once, under this name: there may be any number of beats.
fn telling(mut server: ServerBuilder, name: &'static str, to: &Report) -> ServerBuilder {
    for event in EVENTS {
        let (to, told) = (to.clone(), AtomicBool::new(false));
        server = server.on(event, move || {
            if !told.swap(true, Ordering::SeqCst) || event != Event::Beat {
                to.send(format!("{event:?} {name}")).unwrap();
            }
            async {}
        });
    }
    server
}

async fn hooks_are_called_in_their_order(flow: Flow) {
    let (report, mut told) = Flow::reports();
    let (server, mut reports) = flow.server();
    let go = Arc::new(Semaphore::new(0));
    let server = telling(server.only::<hooked>(), "a", &report);
    let server = telling(server, "b", &report).on(Event::Startup, {
        let go = go.clone();
        move || {
            let go = go.clone();
            async move { go.acquire().await.unwrap().forget() }
        }
    });
    hooked::set()
        .client(&flow.client)
        .perform_async(7)
        .await
        .unwrap();
    let server = server.build().unwrap();
    let handle = server.handle();
    let running = Running::run(server);
    assert_eq!(told.some(2).await, ["Startup a", "Startup b"]);
    assert_eq!(flow.store().census().await.unwrap().claimed, 0);
    assert_eq!(flow.queue("default").await.len(), 1);
    go.add_permits(1);
    assert_eq!(reports.next().await, "job 7");
    let beats = ["Heartbeat a", "Heartbeat b", "Beat a", "Beat b"];
    assert_eq!(told.some(4).await, beats);
    handle.quiet();
    assert_eq!(told.some(2).await, ["Quiet b", "Quiet a"]);
    running.stop().await;
    let rest = told.some(4).await;
    assert_eq!(rest, ["Shutdown b", "Shutdown a", "Exit b", "Exit a"]);
    assert!(told.is_silent());
}

async fn there_is_a_beat_whenever_it_shows_itself(flow: Flow) {
    let (report, mut told) = Flow::reports();
    let (server, _reports) = flow.server();
    let server = server.only::<hooked>().on(Event::Beat, move || {
        report.send("beat".into()).unwrap();
        async {}
    });
    let server = server.build().unwrap();
    let handle = server.handle();
    let running = Running::run(server);
    told.next().await;
    // It shows at once that it is quiet.
    handle.quiet();
    told.next().await;
    running.stop().await;
}

async fn a_stop_is_seen_in_its_parts(flow: Flow) {
    let (report, mut told) = Flow::reports();
    let (server, _reports) = flow.server();
    let server = server.only::<hooked>();
    let (store, left) = (flow.store().clone(), report.clone());
    let running = Running::start(telling(server, "a", &report).on(Event::Exit, move || {
        let (store, left) = (store.clone(), left.clone());
        async move {
            let shown = store.members(Members::Processes).await.unwrap();
            left.send(format!("{} shown", shown.len())).unwrap();
        }
    }));
    assert_eq!(told.some(3).await, ["Startup a", "Heartbeat a", "Beat a"]);
    running.stop().await;
    let rest = told.some(4).await;
    assert_eq!(rest, ["Quiet a", "Shutdown a", "0 shown", "Exit a"]);
}

async fn panics() {
    panic!("no hook")
}

async fn hooks_that_panic_fail_or_hang_cost_nothing(flow: Flow) {
    let (report, mut told) = Flow::reports();
    let (mut server, mut reports) = flow.server();
    for event in EVENTS {
        server = server
            .on(event, panics)
            .on(event, || async { Err::<(), _>("no luck".to_owned()) })
            .on(event, std::future::pending::<()>);
    }
    let server = server.hook_timeout(Duration::from_millis(100));
    let running = Running::start(telling(server.only::<hooked>(), "a", &report));
    hooked::set()
        .client(&flow.client)
        .perform_async(7)
        .await
        .unwrap();
    assert_eq!(reports.next().await, "job 7");
    assert_eq!(told.some(3).await, ["Startup a", "Heartbeat a", "Beat a"]);
    running.stop().await;
    assert_eq!(told.some(3).await, ["Quiet a", "Shutdown a", "Exit a"]);
    assert_eq!(flow.counters().await, (1, 0));
}

async fn a_stop_does_not_wait_for_startup_hooks(flow: Flow) {
    let (report, mut told) = Flow::reports();
    let (server, _reports) = flow.server();
    let server = telling(server.only::<hooked>(), "a", &report)
        .hook_timeout(Duration::from_secs(3_600))
        .on(Event::Startup, std::future::pending::<()>);
    let running = Running::start(server);
    assert_eq!(told.next().await, "Startup a");
    running.stop().await;
    // Whether it showed itself meanwhile depends on what was faster.
    let mut rest = Vec::new();
    while !told.is_empty() {
        rest.push(told.next().await);
    }
    rest.retain(|event| !event.contains("eat "));
    assert_eq!(rest, ["Quiet a", "Shutdown a", "Exit a"]);
}

async fn a_hook_of_the_shutdown_is_cut_off_with_the_jobs(flow: Flow) {
    let (report, mut told) = Flow::reports();
    let (server, _reports) = flow.server();
    let server = telling(server.only::<hooked>(), "a", &report)
        .shutdown_timeout(Duration::from_millis(50))
        .on(Event::Shutdown, std::future::pending::<()>);
    let server = server.build().unwrap();
    let handle = server.handle();
    let running = Running::run(server);
    assert_eq!(told.some(3).await, ["Startup a", "Heartbeat a", "Beat a"]);
    handle.quiet();
    assert_eq!(told.next().await, "Quiet a");
    running.stop().await;
    assert_eq!(told.next().await, "Exit a");
}

/// Notes what it is told.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl ErrorHandler for Notes {
    async fn call(&self, error: &ExecutionError<'_>) {
        let failure = error.failure();
        let own = failure.error.as_ref();
        let own = own.and_then(|error| error.downcast_ref::<String>());
        let (class, jid, queue) = (error.class(), error.jid(), error.queue());
        let bytes = error.payload().len();
        let note = format!(
            "{class}:{jid} of {queue}, {bytes} bytes, {:?} {own:?}",
            failure.kind
        );
        self.0.lock().unwrap().push(note);
    }
}

async fn error_handlers_are_told_of_all_that_failed(flow: Flow) {
    let notes = Notes::default();
    let (server, _reports) = flow.server();
    let server = server
        .only::<hooked>()
        .only::<forever>()
        .hook_timeout(Duration::from_millis(20))
        .on_error(|_: &ExecutionError<'_>| panic!("no handler"))
        .on_error(Hanging)
        .on_error(notes.clone());
    let running = Running::start(server);
    let payloads = [
        r#"{"class":"Hooked","args":[0],"jid":"error"}"#,
        r#"{"class":"Hooked","args":[1],"jid":"panic"}"#,
        r#"{"class":"Hooked","args":[2],"jid":"fine"}"#,
        r#"{"class":"Hooked","args":["x"],"jid":"args"}"#,
        r#"{"class":"Forever","args":[],"jid":"late"}"#,
        r#"{"class":"Nobody","args":[],"jid":"class"}"#,
        r#"{"jid":"none"}"#,
        "{bad json",
    ];
    for payload in payloads {
        flow.push_raw("default", payload.as_bytes()).await;
    }
    flow.until_timed(TimedSet::Retry, 5).await;
    flow.until_timed(TimedSet::Dead, 2).await;
    running.stop().await;
    let mut taken = notes.0.lock().unwrap().clone();
    taken.sort();
    let length = |at: usize| payloads[at].len();
    let expected = [
        format!(": of default, {} bytes, Undecodable None", length(7)),
        format!(": of default, {} bytes, Undecodable None", length(6)),
        format!(
            "Forever:late of default, {} bytes, TimedOut None",
            length(4)
        ),
        format!(
            "Hooked:args of default, {} bytes, Undecodable None",
            length(3)
        ),
        format!(
            "Hooked:error of default, {} bytes, Error Some(\"no zeros\")",
            length(0)
        ),
        format!(
            "Hooked:panic of default, {} bytes, Panicked None",
            length(1)
        ),
        format!("Nobody:class of default, {} bytes, Other None", length(5)),
    ];
    let mut expected = expected.to_vec();
    expected.sort();
    assert_eq!(taken, expected);
}

struct Hanging;

impl ErrorHandler for Hanging {
    async fn call(&self, _: &ExecutionError<'_>) {
        std::future::pending::<()>().await;
    }
}

flows! {
    hooks_are_called_in_their_order
    there_is_a_beat_whenever_it_shows_itself
    a_stop_is_seen_in_its_parts
    hooks_that_panic_fail_or_hang_cost_nothing
    a_stop_does_not_wait_for_startup_hooks
    a_hook_of_the_shutdown_is_cut_off_with_the_jobs
    error_handlers_are_told_of_all_that_failed
}
