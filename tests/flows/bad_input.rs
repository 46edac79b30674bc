//! Payloads that are no jobs, or hard to bear: each has one end, nothing is lost and nothing stops.

use std::time::Duration;

use bytes::Bytes;
use sancho::store::TimedSet;
use sancho::{Outcome, job};
use serde_json::value::RawValue;

use crate::harness::{Flow, Report, Running, field, flows};

#[job]
async fn measures(arg: Box<RawValue>, #[state] to: &Report) {
    to.send(arg.get().len().to_string()).unwrap();
}

#[job]
async fn decodes(arg: serde_json::Value) {
    let _ = arg;
}

#[job]
async fn fails(arg: Box<RawValue>) -> Result<(), String> {
    let _ = arg;
    Err("no mail".into())
}

#[job]
async fn puts_off(arg: Box<RawValue>) -> Outcome {
    let _ = arg;
    Outcome::Snooze(Duration::from_secs(10))
}

fn start(flow: &Flow) -> (Running, crate::harness::Reports) {
    let (server, reports) = flow.server();
    let server = server.only::<measures>().only::<decodes>();
    let running = Running::start(server.only::<fails>().only::<puts_off>().concurrency(2));
    (running, reports)
}

/// An argument that makes its payload nest this deep.
fn nested(levels: usize) -> String {
    let inner = levels - 2;
    format!("{}{}", "[".repeat(inner), "]".repeat(inner))
}

fn payload(class: &str, arg: &str) -> String {
    format!(r#"{{"class":"{class}","args":[{arg}],"jid":"1","queue":"default"}}"#)
}

/// That the worker still runs jobs.
async fn still_runs(flow: &Flow, reports: &mut crate::harness::Reports) {
    flow.push_raw("default", payload("Measures", "1234567").as_bytes())
        .await;
    assert_eq!(reports.next().await, "7");
}

async fn bytes_that_are_no_object_are_dead_as_they_came_and_do_not_count(flow: Flow) {
    let mut bad: Vec<Bytes> = [
        &b"{bad json"[..],
        b"",
        b"[]",
        b"null",
        b"12",
        b"\"{}\"",
        b"{} {}",
        b"\xff\x00",
        b"{\"class\":\"Measures\",\"args\":[\"\xff\"]}",
        b"{\"class\":\"Measures\",\"args\":[1],\"x\":\"\xc3\"}",
        b"{\"class\":\"Measures\",\"args\":[NaN]}",
    ]
    .map(Bytes::from_static)
    .into();
    bad.push("[".repeat(100_000).into());
    let (running, mut reports) = start(&flow);
    for payload in &bad {
        flow.push_raw("default", payload).await;
    }
    let dead = flow.until_timed(TimedSet::Dead, bad.len()).await;
    let mut dead: Vec<_> = dead.into_iter().map(|entry| entry.payload).collect();
    dead.sort();
    bad.sort();
    assert_eq!(dead, bad);
    still_runs(&flow, &mut reports).await;
    running.stop().await;
    assert_eq!(flow.counters().await, (1, 0));
}

async fn objects_that_are_no_jobs_are_dead_and_say_why(flow: Flow) {
    let bad = [
        (r#"{"args":[]}"#, "class"),
        (r#"{"class":null,"args":[]}"#, "class"),
        (r#"{"class":"Measures","big":12345678901234567890}"#, "args"),
        (r#"{"class":"Measures","args":{"a":1}}"#, "args"),
        (r#"{"class":"Measures","args":"[1]"}"#, "args"),
        ("{}", "class"),
    ];
    let (running, mut reports) = start(&flow);
    for (payload, _) in bad {
        flow.push_raw("default", payload.as_bytes()).await;
    }
    let dead = flow.until_timed(TimedSet::Dead, bad.len()).await;
    for (payload, lacks) in bad {
        let start = payload.strip_suffix('}').unwrap();
        let buried = dead
            .iter()
            .find(|entry| {
                let rest = entry.payload.strip_prefix(start.as_bytes());
                rest.is_some_and(|rest| {
                    rest.starts_with(b",\"error_message\"")
                        || rest.starts_with(b"\"error_message\"")
                })
            })
            .unwrap_or_else(|| panic!("{payload} is not in {dead:?}"));
        let message = field(&buried.payload, "error_message").to_string();
        assert!(message.contains(lacks), "{payload}: {message}");
        assert_eq!(
            field(&buried.payload, "error_class"),
            "sancho::MalformedPayload"
        );
    }
    still_runs(&flow, &mut reports).await;
    running.stop().await;
    assert_eq!(flow.counters().await, (7, 6));
}

async fn ten_megabytes_of_arguments_run_and_fail_as_any_others(flow: Flow) {
    let arg = format!("\"{}\"", "é".repeat(5 * 1024 * 1024));
    let (running, mut reports) = start(&flow);
    flow.push_raw("default", payload("Measures", &arg).as_bytes())
        .await;
    assert_eq!(reports.next().await, arg.len().to_string());
    let large = payload("Fails", &arg);
    flow.push_raw("default", large.as_bytes()).await;
    let retry = flow.until_timed(TimedSet::Retry, 1).await;
    let start = large.strip_suffix('}').unwrap();
    assert!(retry[0].payload.starts_with(start.as_bytes()));
    still_runs(&flow, &mut reports).await;
    running.stop().await;
}

async fn a_thousand_levels_run_where_the_job_can_take_them(flow: Flow) {
    let (running, mut reports) = start(&flow);
    let deep = nested(1_000);
    flow.push_raw("default", payload("Measures", &deep).as_bytes())
        .await;
    assert_eq!(reports.next().await, deep.len().to_string());
    still_runs(&flow, &mut reports).await;
    running.stop().await;
    assert_eq!(flow.counters().await, (2, 0));
}

/// A payload that Ruby could not read is dead instead of waiting in a set, where Ruby would lose it.
async fn is_dead(flow: &Flow, class: &str, levels: usize, why: &[&str]) {
    let (running, mut reports) = start(flow);
    let deep = payload(class, &nested(levels));
    flow.push_raw("default", deep.as_bytes()).await;
    let dead = flow.until_timed(TimedSet::Dead, 1).await;
    let start = deep.strip_suffix('}').unwrap();
    assert!(dead[0].payload.starts_with(start.as_bytes()));
    // A thousand levels are more than the tests' own parser reads.
    let text = String::from_utf8(dead[0].payload.to_vec()).unwrap();
    for why in why {
        assert!(text.contains(why), "{why} in {text}");
    }
    still_runs(flow, &mut reports).await;
    running.stop().await;
}

const TOO_DEEP: &str = r#""error_message":"the payload nests deeper than the 100 levels that Ruby reads, so it cannot wait in a set: "#;

async fn a_thousand_levels_that_cannot_be_decoded_are_dead(flow: Flow) {
    let why = ["recursion limit", "`arg`", "sancho::ArgumentError"];
    is_dead(&flow, "Decodes", 1_000, &[&[TOO_DEEP][..], &why].concat()).await;
}

async fn more_levels_than_ruby_reads_are_dead_at_their_failure(flow: Flow) {
    is_dead(&flow, "Fails", 101, &[TOO_DEEP, "no mail", "\"String\""]).await;
}

async fn more_levels_than_ruby_reads_cannot_be_put_off(flow: Flow) {
    is_dead(&flow, "PutsOff", 101, &[TOO_DEEP, "put off for 10s"]).await;
}

async fn as_many_levels_as_ruby_reads_are_tried_again(flow: Flow) {
    let (running, _reports) = start(&flow);
    flow.push_raw("default", payload("Fails", &nested(100)).as_bytes())
        .await;
    flow.push_raw("default", payload("PutsOff", &nested(100)).as_bytes())
        .await;
    flow.until_timed(TimedSet::Retry, 1).await;
    flow.until_timed(TimedSet::Schedule, 1).await;
    running.stop().await;
    assert!(flow.timed(TimedSet::Dead).await.is_empty());
}

async fn what_is_due_and_no_object_is_dead_as_it_came(flow: Flow) {
    let at = flow.now();
    for (set, bad) in [
        (TimedSet::Schedule, &b"[1]"[..]),
        (TimedSet::Retry, b"\xff"),
    ] {
        flow.put(bad, sancho::store::Place::Timed { set, at }).await;
    }
    let (running, mut reports) = start(&flow);
    let dead = flow.until_timed(TimedSet::Dead, 2).await;
    let mut dead: Vec<_> = dead.iter().map(|entry| entry.payload.as_ref()).collect();
    dead.sort_unstable();
    assert_eq!(dead, [&b"[1]"[..], b"\xff"]);
    still_runs(&flow, &mut reports).await;
    running.stop().await;
}

async fn a_due_payload_with_two_queues_goes_to_the_last(flow: Flow) {
    let place = sancho::store::Place::Timed {
        set: TimedSet::Schedule,
        at: flow.now(),
    };
    let twice = br#"{"queue":"a","class":"X","args":[],"queue":"b","at":1,"\u0061t":2}"#;
    flow.put(twice, place).await;
    let (running, _reports) = start(&flow);
    flow.until("it is in its queue", || async {
        flow.queue("b").await.len() == 1
    })
    .await;
    running.stop().await;
    assert_eq!(
        flow.queue("b").await[0],
        format!(
            r#"{{"queue":"a","class":"X","args":[],"queue":"b","enqueued_at":{}}}"#,
            flow.now().as_millis()
        )
    );
}

flows! {
    bytes_that_are_no_object_are_dead_as_they_came_and_do_not_count
    objects_that_are_no_jobs_are_dead_and_say_why
    ten_megabytes_of_arguments_run_and_fail_as_any_others
    a_thousand_levels_run_where_the_job_can_take_them
    a_thousand_levels_that_cannot_be_decoded_are_dead
    more_levels_than_ruby_reads_are_dead_at_their_failure
    more_levels_than_ruby_reads_cannot_be_put_off
    as_many_levels_as_ruby_reads_are_tried_again
    what_is_due_and_no_object_is_dead_as_it_came
    a_due_payload_with_two_queues_goes_to_the_last
}
