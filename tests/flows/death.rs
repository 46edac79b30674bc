//! Death handlers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sancho::Client;
use sancho::engine::{Death, DeathHandler};
use sancho::store::{ClaimRequest, Owner, Registration, Source, TimedSet};
use sancho::{Context, Outcome, job};
use tokio::sync::Semaphore;

use crate::harness::{Flow, Report, Running, field, flows};

#[job]
async fn mortal(n: u8) -> Result<Outcome, String> {
    match n {
        0 => Err("no mail".into()),
        1 => Ok(Outcome::Dead("hopeless".into())),
        _ => Ok(Outcome::Discard("not needed".into())),
    }
}

#[job]
async fn lives(n: u8, #[state] to: &Report) {
    to.send(n.to_string()).unwrap();
}

#[job]
async fn waits(#[state] to: &Report, #[context] cx: &Context) {
    to.send(format!("waits {}", cx.recoveries())).unwrap();
    cx.cancelled().await;
    std::future::pending::<()>().await;
}

const LEASE: Duration = Duration::from_secs(1);

/// Notes what it is told.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    fn taken(&self) -> Vec<String> {
        let mut notes = self.0.lock().unwrap().clone();
        notes.sort();
        notes
    }
}

impl DeathHandler for Notes {
    async fn call(&self, death: &Death<'_>) {
        let buried = if death.is_buried() { "buried" } else { "gone" };
        let marked = String::from_utf8_lossy(death.payload()).contains("\"discarded_at\":");
        let marked = if marked { " marked" } else { "" };
        let note = format!(
            "{}:{} {buried}{marked} {}: {}",
            death.class(),
            death.jid(),
            death.error_class(),
            death.error_message()
        );
        self.0.lock().unwrap().push(note);
    }
}

/// Says that it was told, and then waits until it may go on.
#[derive(Clone)]
struct Slow {
    told: Report,
    go: Arc<Semaphore>,
}

impl DeathHandler for Slow {
    async fn call(&self, death: &Death<'_>) {
        self.told.send(format!("told of {}", death.jid())).unwrap();
        self.go.acquire().await.unwrap().forget();
    }
}

async fn push(flow: &Flow, class: &str, arg: &str, jid: &str, more: &str) {
    let payload = format!(r#"{{"class":"{class}","args":[{arg}],"jid":"{jid}"{more}}}"#);
    flow.push_raw("default", payload.as_bytes()).await;
}

async fn every_end_has_a_death(flow: Flow) {
    let notes = Notes::default();
    let closure = notes.clone();
    let (server, _reports) = flow.server();
    let running = Running::start(
        server
            .only::<mortal>()
            .death_handler(notes.clone())
            .death_handler(move |death: &Death<'_>| {
                closure.0.lock().unwrap().push(format!("~{}", death.jid()));
            }),
    );
    push(&flow, "Mortal", "0", "a", r#","retry":0"#).await;
    push(&flow, "Mortal", "0", "b", r#","retry":false"#).await;
    push(&flow, "Mortal", "0", "c", r#","retry":0,"dead":false"#).await;
    push(&flow, "Mortal", "1", "d", "").await;
    push(&flow, "Mortal", "2", "e", "").await;
    push(&flow, "Nobody", "", "f", r#","retry":false"#).await;
    push(&flow, "Mortal", "1", "g", r#","dead":false"#).await;
    flow.push_raw("default", b"{bad json").await;
    flow.push_raw("default", br#"{"class":"Mortal","jid":"h"}"#)
        .await;
    // This one lives on, so nobody is told of it.
    push(&flow, "Mortal", "0", "i", r#","retry":1"#).await;
    flow.until_timed(TimedSet::Retry, 1).await;
    flow.until("all are told of", || async { notes.taken().len() == 18 })
        .await;
    running.stop().await;
    let expected = [
        "Mortal:a buried String: no mail",
        "Mortal:b gone String: no mail",
        "Mortal:c gone marked String: no mail",
        "Mortal:d buried sancho::Outcome::Dead: hopeless",
        "Mortal:e gone marked sancho::Outcome::Discard: not needed",
        "Mortal:g gone marked sancho::Outcome::Dead: hopeless",
        "Nobody:f gone sancho::UnknownClass: ",
        ": buried sancho::MalformedPayload: the payload is not a job: key must be",
        "Mortal:h buried sancho::MalformedPayload: the payload is not a job: `Mortal` has no `args`",
    ];
    let taken = notes.taken();
    for note in expected {
        let told = taken.iter().filter(|told| told.starts_with(note)).count();
        assert_eq!(told, 1, "{note} in {taken:#?}");
    }
    let dead = flow.timed(TimedSet::Dead).await;
    assert_eq!(dead.len(), 4, "{dead:?}");
}

async fn a_handler_that_panics_costs_nothing(flow: Flow) {
    let notes = Notes::default();
    let (server, mut reports) = flow.server();
    let running = Running::start(
        server
            .only::<mortal>()
            .only::<lives>()
            .concurrency(1)
            .death_handler(|_: &Death<'_>| panic!("no handler"))
            .death_handler(notes.clone()),
    );
    push(&flow, "Mortal", "0", "a", r#","retry":0"#).await;
    push(&flow, "Lives", "7", "b", "").await;
    assert_eq!(reports.next().await, "7");
    flow.until_timed(TimedSet::Dead, 1).await;
    assert_eq!(notes.taken().len(), 1);
    running.stop().await;
    assert_eq!(flow.counters().await, (2, 1));
}

/// Looks whether the end is committed already.
struct Looks(Client, Report);

impl DeathHandler for Looks {
    async fn call(&self, _: &Death<'_>) {
        let census = self.0.store().census().await.unwrap();
        self.1
            .send(format!("{} {}", census.claimed, census.dead))
            .unwrap();
    }
}

async fn handlers_run_before_the_end_is_committed(flow: Flow) {
    let (report, mut looked) = Flow::reports();
    let (server, _reports) = flow.server();
    let looks = Looks(flow.client.clone(), report);
    let running = Running::start(server.only::<mortal>().death_handler(looks));
    push(&flow, "Mortal", "0", "a", r#","retry":0"#).await;
    assert_eq!(looked.next().await, "1 0");
    flow.until_timed(TimedSet::Dead, 1).await;
    running.stop().await;
}

async fn a_slow_handler_takes_its_slot_and_no_other(flow: Flow) {
    let (told, mut heard) = Flow::reports();
    let go = Arc::new(Semaphore::new(0));
    let (server, mut reports) = flow.server();
    let running = Running::start(
        server
            .only::<mortal>()
            .only::<lives>()
            .concurrency(2)
            .death_handler(Slow {
                told,
                go: go.clone(),
            }),
    );
    push(&flow, "Mortal", "0", "a", r#","retry":0"#).await;
    assert_eq!(heard.next().await, "told of a");
    for n in 0..20 {
        push(&flow, "Lives", &n.to_string(), "b", "").await;
        assert_eq!(reports.next().await, n.to_string());
    }
    assert!(flow.timed(TimedSet::Dead).await.is_empty());
    go.add_permits(1);
    flow.until_timed(TimedSet::Dead, 1).await;
    running.stop().await;
}

async fn a_process_that_dies_in_a_handler_loses_nothing(flow: Flow) {
    let (told, mut heard) = Flow::reports();
    let go = Arc::new(Semaphore::new(0));
    let slow = Slow {
        told,
        go: go.clone(),
    };
    push(&flow, "Mortal", "0", "a", r#","retry":0"#).await;
    let (server, _reports) = flow.server();
    let server = server.only::<mortal>().lease(LEASE);
    let dying = Running::start(server.death_handler(slow.clone()));
    assert_eq!(heard.next().await, "told of a");
    dying.kill().await;

    let (server, _reports) = flow.server();
    let server = server.only::<mortal>().lease(LEASE);
    let rescuer = Running::start(server.death_handler(slow));
    flow.pass(LEASE * 2);
    assert_eq!(heard.next().await, "told of a");
    go.add_permits(1);
    let dead = flow.until_timed(TimedSet::Dead, 1).await;
    assert_eq!(field(&dead[0].payload, "retry_count"), 0);
    rescuer.stop().await;
    assert_eq!(flow.counters().await, (1, 1));
}

/// A job that was recovered twice already, in the hands of a process that dies, with another one.
async fn poison(flow: &Flow, more: &str) {
    let recoveries = format!(
        r#","sancho_recoveries":{{"count":2,"first_at":{}}}{more}"#,
        flow.now().as_millis()
    );
    push(flow, "Waits", "", "pill", &recoveries).await;
    push(flow, "Waits", "", "other", "").await;
    let (server, mut reports) = flow.server();
    let dying = Running::start(server.only::<waits>().lease(LEASE));
    reports.some(2).await;
    dying.kill().await;
}

async fn the_handlers_of_a_poison_pill_hold_up_no_other_recovery(flow: Flow) {
    poison(&flow, "").await;
    let (told, mut heard) = Flow::reports();
    let go = Arc::new(Semaphore::new(0));
    let (server, mut reports) = flow.server();
    let slow = Slow {
        told,
        go: go.clone(),
    };
    let running = Running::start(
        server
            .only::<waits>()
            .lease(LEASE)
            .shutdown_timeout(Duration::ZERO)
            .death_handler(slow),
    );
    flow.pass(LEASE * 2);
    assert_eq!(heard.next().await, "told of pill");
    assert_eq!(reports.next().await, "waits 1");
    assert!(flow.timed(TimedSet::Dead).await.is_empty());
    go.add_permits(1);
    let dead = flow.until_timed(TimedSet::Dead, 1).await;
    assert_eq!(field(&dead[0].payload, "error_class"), "sancho::Lost");
    running.stop().await;
}

async fn a_poison_pill_with_dead_false_is_discarded(flow: Flow) {
    poison(&flow, r#","dead":false"#).await;
    let notes = Notes::default();
    let (server, mut reports) = flow.server();
    let running = Running::start(
        server
            .only::<waits>()
            .lease(LEASE)
            .shutdown_timeout(Duration::ZERO)
            .death_handler(notes.clone()),
    );
    flow.pass(LEASE * 2);
    assert_eq!(reports.next().await, "waits 1");
    flow.until("only the other is held", || async {
        flow.store().census().await.unwrap().claimed == 1
    })
    .await;
    assert!(
        notes.taken()[0].starts_with("Waits:pill gone marked sancho::Lost"),
        "{:?}",
        notes.taken()
    );
    assert!(flow.timed(TimedSet::Dead).await.is_empty());
    running.stop().await;
}

async fn what_a_dead_process_held_and_is_no_job_is_dead_as_it_came(flow: Flow) {
    flow.push_raw("default", b"{bad json").await;
    let owner = Owner::random();
    let store = flow.store();
    store
        .renew(&owner, LEASE, Registration::First)
        .await
        .unwrap();
    let request = ClaimRequest {
        owner,
        seq: 1,
        sources: vec![Source {
            queue: "default".into(),
            share: 0,
        }],
        limit: 1,
    };
    store.claim(&request).await.unwrap();
    let notes = Notes::default();
    let (server, _reports) = flow.server();
    let server = server.only::<waits>().lease(LEASE);
    let running = Running::start(server.death_handler(notes.clone()));
    flow.pass(LEASE * 2);
    let dead = flow.until_timed(TimedSet::Dead, 1).await;
    assert_eq!(dead[0].payload, "{bad json");
    let told = ": buried sancho::MalformedPayload: ";
    assert!(
        notes.taken().len() == 1 && notes.taken()[0].starts_with(told),
        "{:?}",
        notes.taken()
    );
    running.stop().await;
    assert_eq!(flow.counters().await, (0, 0));
}

async fn a_stop_leaves_a_poison_pill_to_others(flow: Flow) {
    poison(&flow, "").await;
    let (told, mut heard) = Flow::reports();
    let go = Arc::new(Semaphore::new(0));
    let slow = Slow {
        told,
        go: go.clone(),
    };
    let server = || {
        let (server, reports) = flow.server();
        let server = server.only::<waits>().lease(LEASE);
        let server = server.shutdown_timeout(Duration::ZERO);
        (server.death_handler(slow.clone()), reports)
    };
    let (stopping, mut reports) = server();
    let running = Running::start(stopping);
    flow.pass(LEASE * 2);
    assert_eq!(heard.next().await, "told of pill");
    reports.next().await;
    running.stop().await;
    assert_eq!(flow.store().census().await.unwrap().claimed, 1);

    go.add_permits(1);
    let (staying, mut reports) = server();
    let running = Running::start(staying);
    flow.pass(LEASE * 2);
    assert_eq!(heard.next().await, "told of pill");
    flow.until_timed(TimedSet::Dead, 1).await;
    reports.next().await;
    running.stop().await;
}

flows! {
    every_end_has_a_death
    a_handler_that_panics_costs_nothing
    handlers_run_before_the_end_is_committed
    a_slow_handler_takes_its_slot_and_no_other
    a_process_that_dies_in_a_handler_loses_nothing
    the_handlers_of_a_poison_pill_hold_up_no_other_recovery
    a_poison_pill_with_dead_false_is_discarded
    what_a_dead_process_held_and_is_no_job_is_dead_as_it_came
    a_stop_leaves_a_poison_pill_to_others
}
