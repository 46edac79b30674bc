//! Poison pills that are found by a process which does not serve their class.

use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use bytes::Bytes;
use sancho::engine::Death;
use sancho::runtime::ServerBuilder;
use sancho::store::{ClaimRequest, Effect, Members, Owner, Registration, Source, TimedSet, keys};
use sancho::{Cause, Record, job};

use crate::harness::{Flow, Report, Reports, Running, field, flows};

const LEASE: Duration = Duration::from_secs(1);

/// So long that its server looks after nobody else's claims.
const LONG_LEASE: Duration = Duration::from_secs(10_000);

/// The ids of the jobs whose `retries_exhausted` was called, and with what.
static MOURNED: LazyLock<Mutex<Vec<String>>> = LazyLock::new(Mutex::default);

#[job(retries_exhausted = mourn)]
async fn pill(#[state] to: &Report) -> Result<(), std::io::Error> {
    to.send("the pill runs".into()).unwrap();
    Ok(())
}

async fn mourn(job: &Record, cause: &Cause<std::io::Error>) {
    let is_lost = matches!(cause, Cause::Lost(_));
    let mut mourned = MOURNED.lock().unwrap();
    mourned.push(format!("{} {is_lost}", job.jid()));
}

#[job]
async fn other(#[state] to: &Report) {
    to.send("the other runs".into()).unwrap();
}

/// A payload of the class `Pill`, recovered so often before, in the hands of a process that is dead.
async fn held_by_the_dead(flow: &Flow, jid: &str, recoveries: &str) {
    let payload = payload(flow, jid, recoveries);
    flow.push_raw("default", payload.as_bytes()).await;
    let owner = Owner::random();
    let store = flow.store();
    let renewed = store.renew(&owner, LEASE, Registration::First);
    renewed.await.unwrap();
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
}

fn payload(flow: &Flow, jid: &str, recoveries: &str) -> String {
    let first_at = flow.now().as_millis();
    format!(
        r#"{{"class":"Pill","args":[],"jid":"{jid}","sancho_recoveries":{{{recoveries},"first_at":{first_at}}}}}"#
    )
}

/// An id that no other test has.
fn jid() -> String {
    Owner::random().to_string()
}

fn mourned(jid: &str) -> usize {
    let mourned = MOURNED.lock().unwrap();
    let told = format!("{jid} true");
    mourned.iter().filter(|note| **note == told).count()
}

/// Knows the class, serves the queue, and looks after nobody else's claims.
async fn knower(flow: &Flow) -> (Running, Reports) {
    let (server, reports) = flow.server();
    let running = Running::start(server.only::<pill>().only::<other>().lease(LONG_LEASE));
    flow.until("others know what it wants to hear of", || async {
        let store = flow.store();
        let names = store.members(Members::Processes).await.unwrap();
        let keys: Vec<_> = names.iter().map(|name| keys::process(name)).collect();
        let hashes = store.fields(&keys).await.unwrap();
        let mut fields = hashes.into_iter().flatten();
        fields.any(|(field, value)| field == "mourns" && value == r#"["Pill"]"#)
    })
    .await;
    (running, reports)
}

/// Does not know the class, and looks after others' claims. It notes of what it is told.
fn stranger(flow: &Flow, queue: &str) -> (ServerBuilder, Reports) {
    let (server, _) = flow.server();
    let (told, deaths) = Flow::reports();
    let server = server.only::<other>().queues([queue]).lease(LEASE);
    let server = server.death_handler(move |death: &Death<'_>| {
        let text = format!("{} {}", death.jid(), death.error_class());
        told.send(text).unwrap();
    });
    (server, deaths)
}

/// It died of its recoveries, and could be tried again by hand.
async fn is_buried(flow: &Flow) {
    let dead = flow.until_timed(TimedSet::Dead, 1).await;
    let payload = &dead[0].payload;
    assert_eq!(field(payload, "error_class"), "sancho::Lost");
    let recoveries = field(payload, "sancho_recoveries");
    assert_eq!(recoveries["given_up"], serde_json::Value::Null);
    assert!(flow.queue("default").await.is_empty());
    flow.until("its claim has ended", || async {
        flow.store().census().await.unwrap().claimed == 0
    })
    .await;
}

async fn one_that_knows_the_class_buries_what_a_stranger_found(flow: Flow) {
    let jid = jid();
    held_by_the_dead(&flow, &jid, r#""count":2"#).await;
    let (knows, mut ran) = knower(&flow).await;
    let (server, mut deaths) = stranger(&flow, "elsewhere");
    let strange = Running::start(server);
    flow.pass(LEASE * 2);
    is_buried(&flow).await;
    assert_eq!(mourned(&jid), 1);
    strange.stop().await;
    knows.stop().await;
    assert!(ran.is_silent() && deaths.is_silent());
    assert_eq!(flow.counters().await, (0, 0));
    let dead = flow.timed(TimedSet::Dead).await;
    assert_eq!(field(&dead[0].payload, "sancho_recoveries")["count"], 3);

    // Tried again by hand, it runs.
    let (knows, mut ran) = knower(&flow).await;
    let dead = flow.api().dead();
    let entry = dead.find(&jid).await.unwrap().unwrap();
    assert!(dead.retry(&entry).await.unwrap().is_done());
    assert_eq!(ran.next().await, "the pill runs");
    knows.stop().await;
}

async fn a_stranger_buries_what_nobody_knows(flow: Flow) {
    let jid = jid();
    held_by_the_dead(&flow, &jid, r#""count":2"#).await;
    let (server, mut deaths) = stranger(&flow, "default");
    let strange = Running::start(server);
    flow.pass(LEASE * 2);
    assert_eq!(deaths.next().await, format!("{jid} sancho::Lost"));
    is_buried(&flow).await;
    strange.stop().await;
    assert_eq!(mourned(&jid), 0);
}

async fn a_stranger_buries_what_ruby_would_run(flow: Flow) {
    let jid = jid();
    held_by_the_dead(&flow, &jid, r#""count":2"#).await;
    let (knows, mut ran) = knower(&flow).await;
    let ruby = "ruby:1:0123456789ab";
    let info = r#"{"queues":["default"],"labels":[],"identity":"ruby:1:0123456789ab"}"#;
    let fields = vec![("info".into(), Bytes::from_static(info.as_bytes()))];
    flow.apply(vec![
        Effect::Join(Members::Processes, ruby.into()),
        Effect::SetFields {
            key: keys::process(ruby),
            fields,
            ttl: Some(Duration::from_secs(60)),
        },
    ])
    .await;
    let (server, mut deaths) = stranger(&flow, "elsewhere");
    let strange = Running::start(server);
    flow.pass(LEASE * 2);
    assert_eq!(deaths.next().await, format!("{jid} sancho::Lost"));
    is_buried(&flow).await;
    strange.stop().await;
    knows.stop().await;
    assert_eq!((mourned(&jid), ran.is_silent()), (0, true));
}

async fn whoever_claims_one_that_was_given_up_buries_it(flow: Flow) {
    let jid = jid();
    let payload = payload(&flow, &jid, r#""count":3,"given_up":true"#);
    flow.push_raw("default", payload.as_bytes()).await;
    let (server, mut deaths) = stranger(&flow, "default");
    let strange = Running::start(server);
    assert_eq!(deaths.next().await, format!("{jid} sancho::Lost"));
    is_buried(&flow).await;
    strange.stop().await;
    assert_eq!(flow.counters().await, (0, 0));
}

/// The one that was to bury it died of that, perhaps: it is left to nobody again.
async fn one_that_was_given_up_is_left_to_others_once(flow: Flow) {
    let jid = jid();
    held_by_the_dead(&flow, &jid, r#""count":3,"given_up":true"#).await;
    let (knows, mut ran) = knower(&flow).await;
    let (server, mut deaths) = stranger(&flow, "elsewhere");
    let strange = Running::start(server);
    flow.pass(LEASE * 2);
    assert_eq!(deaths.next().await, format!("{jid} sancho::Lost"));
    is_buried(&flow).await;
    strange.stop().await;
    knows.stop().await;
    assert_eq!((mourned(&jid), ran.is_silent()), (0, true));
}

flows! {
    one_that_knows_the_class_buries_what_a_stranger_found
    a_stranger_buries_what_nobody_knows
    a_stranger_buries_what_ruby_would_run
    whoever_claims_one_that_was_given_up_buries_it
    one_that_was_given_up_is_left_to_others_once
}
