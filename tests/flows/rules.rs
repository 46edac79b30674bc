//! What the fields of a payload say about its failures, whoever wrote them.

use std::time::Duration;

use sancho::job::payload::{Wire, read_backtrace, ruby_float};
use sancho::runtime::ServerBuilder;
use sancho::store::TimedSet;
use sancho::{Outcome, job};

use crate::harness::{Flow, Running, field, flows};

#[derive(Debug)]
struct Refused(std::io::Error);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no mail")
    }
}

impl std::error::Error for Refused {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[job(retry = 3)]
async fn refuses() -> Result<(), Refused> {
    Err(Refused(std::io::Error::other("the line is cut")))
}

#[job(retry = 0, retry_for = "1h", retry_queue = "low", backtrace = 1)]
async fn has_options() -> Result<(), Refused> {
    Err(Refused(std::io::Error::other("the line is cut")))
}

#[job(retry = 0, dead = false)]
async fn leaves_nothing() -> Result<(), String> {
    Err("no mail".into())
}

#[job]
async fn waits_longer() -> Outcome {
    Outcome::Retry(Duration::from_secs(100))
}

#[job]
async fn says_much() -> Result<(), String> {
    Err(format!("\0{}", "é".repeat(20_000)))
}

#[job]
async fn panics_here() {
    panic!("no way");
}

fn payload(class: &str, more: &str) -> String {
    format!(r#"{{"class":"{class}","args":[],"jid":"1","queue":"default"{more}}}"#)
}

fn server(flow: &Flow) -> ServerBuilder {
    flow.server()
        .0
        .only::<refuses>()
        .only::<waits_longer>()
        .only::<says_much>()
        .only::<panics_here>()
        .only::<has_options>()
        .only::<leaves_nothing>()
}

/// What a payload is in the retry set, or in the dead set, after its next failure.
async fn failed(flow: &Flow, builder: ServerBuilder, set: TimedSet, payload: &str) -> Vec<u8> {
    flow.push_raw("default", payload.as_bytes()).await;
    let running = Running::start(builder);
    let entries = flow.until_timed(set, 1).await;
    running.stop().await;
    let all = flow.timed(TimedSet::Retry).await.len() + flow.timed(TimedSet::Dead).await.len();
    assert_eq!(all, 1, "{payload} is in one set");
    entries[0].payload.to_vec()
}

/// That it is in no set after its next failure, which counts all the same.
async fn gone(flow: &Flow, payload: &str) {
    flow.push_raw("default", payload.as_bytes()).await;
    let running = Running::start(server(flow));
    flow.until("it has failed", || async {
        flow.counters().await == (1, 1)
    })
    .await;
    running.stop().await;
    for set in TimedSet::ALL {
        assert!(flow.timed(set).await.is_empty(), "{payload}: {set:?}");
    }
}

async fn without_a_retry_the_jobs_own_counts_and_is_written(flow: Flow) {
    let payload = payload("Refuses", r#","retry":null"#);
    let retry = failed(&flow, server(&flow), TimedSet::Retry, &payload).await;
    assert_eq!(field(&retry, "retry"), 3);
    assert_eq!(field(&retry, "retry_count"), 0);
}

async fn an_absent_retry_is_the_jobs_own_too(flow: Flow) {
    let payload = payload("Refuses", r#","retry_count":2,"failed_at":1"#);
    let dead = failed(&flow, server(&flow), TimedSet::Dead, &payload).await;
    assert_eq!(field(&dead, "retry"), 3);
    assert_eq!(field(&dead, "retry_count"), 3);
}

async fn retry_zero_is_dead_at_once(flow: Flow) {
    let payload = payload("Refuses", r#","retry":0"#);
    let dead = failed(&flow, server(&flow), TimedSet::Dead, &payload).await;
    assert_eq!(field(&dead, "retry_count"), 0);
    assert_eq!(field(&dead, "failed_at"), flow.now().as_millis());
}

async fn a_job_of_an_unknown_class_with_retry_false_is_gone(flow: Flow) {
    gone(&flow, &payload("Nobody", r#","retry":false"#)).await;
}

async fn dead_false_is_not_buried(flow: Flow) {
    gone(&flow, &payload("Refuses", r#","retry":0,"dead":false"#)).await;
}

async fn retry_for_counts_and_the_number_of_tries_does_not(flow: Flow) {
    // Within the time, however often it was tried; the first failure was written by an older version.
    let ago = |seconds| ruby_float(flow.now().before(Duration::from_secs(seconds)).as_score());
    let within = payload(
        "Refuses",
        &format!(
            r#","retry":0,"retry_for":3600,"retry_count":4,"failed_at":{}"#,
            ago(3_600)
        ),
    );
    let retry = failed(&flow, server(&flow), TimedSet::Retry, &within).await;
    assert_eq!(field(&retry, "retry_count"), 5);
}

async fn a_job_whose_retry_for_is_over_is_dead(flow: Flow) {
    let before = flow.now().before(Duration::from_millis(3_600_001));
    let over = payload(
        "Refuses",
        &format!(
            r#","retry":true,"retry_for":3600,"retry_count":0,"failed_at":{}"#,
            before.as_millis()
        ),
    );
    let dead = failed(&flow, server(&flow), TimedSet::Dead, &over).await;
    assert_eq!(field(&dead, "failed_at"), before.as_millis());
    assert_eq!(field(&dead, "retried_at"), flow.now().as_millis());
}

async fn the_next_try_goes_to_the_retry_queue(flow: Flow) {
    let payload = payload("Refuses", r#","retry_queue":"low""#);
    flow.push_raw("default", payload.as_bytes()).await;
    let running = Running::start(server(&flow));
    let retry = flow.until_timed(TimedSet::Retry, 1).await;
    assert_eq!(field(&retry[0].payload, "queue"), "low");
    flow.pass(Duration::from_secs(60));
    flow.wake_promoter().await;
    flow.until("it is in the other queue", || async {
        flow.queue("low").await.len() == 1
    })
    .await;
    running.stop().await;
}

async fn a_retry_stays_in_the_queue_that_it_was_taken_from(flow: Flow) {
    let payload = payload("Refuses", "").replace(r#""queue":"default""#, r#""queue":"other""#);
    let retry = failed(&flow, server(&flow), TimedSet::Retry, &payload).await;
    assert_eq!(field(&retry, "queue"), "default");
}

async fn a_try_by_hand_counts_as_none(flow: Flow) {
    let payload = payload("Refuses", r#","retry":1,"retry_count":-1,"failed_at":5"#);
    let retry = failed(&flow, server(&flow), TimedSet::Retry, &payload).await;
    assert_eq!(field(&retry, "retry_count"), 0);
    assert_eq!(field(&retry, "failed_at"), 5);
    assert_eq!(field(&retry, "retried_at"), flow.now().as_millis());
}

async fn waits_that_jobs_ask_for_have_jitter_too(flow: Flow) {
    for n in 0..20 {
        let many = format!(
            r#"{{"class":"WaitsLonger","args":[],"jid":"{n}","retry":9999,"retry_count":500}}"#
        );
        flow.push_raw("default", many.as_bytes()).await;
    }
    let running = Running::start(server(&flow));
    let retry = flow.until_timed(TimedSet::Retry, 20).await;
    running.stop().await;
    let waits: Vec<_> = retry
        .iter()
        .map(|entry| entry.at.unwrap().since(flow.now()).as_secs())
        .collect();
    assert!(
        waits.iter().all(|wait| (100..100 + 5_020).contains(wait)),
        "{waits:?}"
    );
    assert!(waits.windows(2).any(|pair| pair[0] != pair[1]), "{waits:?}");
}

async fn a_backtrace_is_written_where_it_is_asked_for(flow: Flow) {
    let all = payload("Refuses", r#","backtrace":true"#);
    let retry = failed(&flow, server(&flow), TimedSet::Retry, &all).await;
    let written = field(&retry, "error_backtrace");
    assert_eq!(
        read_backtrace(written.as_str().unwrap()).unwrap(),
        ["no mail", "caused by: the line is cut"]
    );
    assert_eq!(field(&retry, "error_message"), "no mail: the line is cut");
}

async fn as_many_lines_as_are_asked_for(flow: Flow) {
    let one = payload("Refuses", r#","backtrace":1"#);
    let retry = failed(&flow, server(&flow), TimedSet::Retry, &one).await;
    let written = field(&retry, "error_backtrace");
    assert_eq!(
        read_backtrace(written.as_str().unwrap()).unwrap(),
        ["no mail"]
    );
}

async fn the_backtrace_of_a_panic_is_its_place(flow: Flow) {
    let all = payload("PanicsHere", r#","backtrace":true"#);
    let retry = failed(&flow, server(&flow), TimedSet::Retry, &all).await;
    let written = field(&retry, "error_backtrace");
    let lines = read_backtrace(written.as_str().unwrap()).unwrap();
    assert!(
        lines.len() == 1 && lines[0].contains("rules.rs:") && lines[0].ends_with(": no way"),
        "{lines:?}"
    );
}

async fn nobody_asked_for_a_backtrace(flow: Flow) {
    let none = payload("Refuses", r#","backtrace":false"#);
    let retry = failed(&flow, server(&flow), TimedSet::Retry, &none).await;
    assert!(field(&retry, "error_backtrace").is_null());
}

async fn a_message_is_cut_after_ten_thousand_characters(flow: Flow) {
    let retry = failed(
        &flow,
        server(&flow),
        TimedSet::Retry,
        &payload("SaysMuch", ""),
    )
    .await;
    let message = field(&retry, "error_message");
    let expected = format!("\0{}", "é".repeat(9_999));
    assert_eq!(message.as_str().unwrap(), expected);
    let text = String::from_utf8(retry).unwrap();
    assert!(text.contains(r#""error_message":"\u0000éé"#));
}

async fn times_have_the_form_of_the_version_beside_us(flow: Flow) {
    flow.push_raw("default", payload("Refuses", "").as_bytes())
        .await;
    let running = Running::start(server(&flow).sidekiq_wire(Wire::Sidekiq7));
    let failed_at = flow.now();
    let retry = flow.until_timed(TimedSet::Retry, 1).await;
    assert!(has(&retry[0].payload, "failed_at", failed_at.as_score()));
    flow.pass(Duration::from_secs(60));
    flow.wake_promoter().await;
    flow.until("it has failed again", || async {
        flow.timed(TimedSet::Retry)
            .await
            .first()
            .is_some_and(|entry| field(&entry.payload, "retry_count") == 1)
    })
    .await;
    running.stop().await;
    let again = &flow.timed(TimedSet::Retry).await[0].payload;
    assert!(has(again, "failed_at", failed_at.as_score()));
    assert!(has(again, "retried_at", flow.now().as_score()));
    assert!(has(again, "enqueued_at", flow.now().as_score()));
}

fn has(payload: &[u8], key: &str, seconds: f64) -> bool {
    let text = String::from_utf8_lossy(payload);
    text.contains(&format!(r#""{key}":{}"#, ruby_float(seconds)))
}

async fn an_activejob_payload_follows_the_same_rules(flow: Flow) {
    let wrapped = r#"{"retry":2,"queue":"default","wrapped":"Mail","args":[{"job_class":"Mail","arguments":[1],"retry":0}],"class":"Sidekiq::ActiveJob::Wrapper","jid":"1","created_at":1795469264488,"enqueued_at":1795469264488}"#;
    let retry = failed(&flow, server(&flow), TimedSet::Retry, wrapped).await;
    let before = wrapped.strip_suffix('}').unwrap();
    assert!(retry.starts_with(format!("{before},\"error_message\"").as_bytes()));
    assert_eq!(field(&retry, "retry_count"), 0);
}

async fn an_activejob_payload_has_the_retries_of_the_job_that_it_wraps(flow: Flow) {
    let wrapped = r#"{"class":"Sidekiq::ActiveJob::Wrapper","wrapped":"Refuses","args":[{"job_class":"Refuses","arguments":[]}],"jid":"1","retry_count":2,"failed_at":1}"#;
    let dead = failed(&flow, server(&flow), TimedSet::Dead, wrapped).await;
    assert_eq!(field(&dead, "retry"), 3);
    assert_eq!(field(&dead, "error_message"), "no mail: the line is cut");
}

async fn the_options_of_a_job_count_for_what_it_pushes(flow: Flow) {
    let running = Running::start(server(&flow));
    let pushed = leaves_nothing::set().client(&flow.client);
    pushed.perform_async().await.unwrap();
    let pushed = has_options::set().client(&flow.client);
    pushed.perform_async().await.unwrap();
    let retry = flow.until_timed(TimedSet::Retry, 1).await;
    flow.until("both have failed", || async {
        flow.counters().await == (2, 2)
    })
    .await;
    running.stop().await;
    assert!(flow.timed(TimedSet::Dead).await.is_empty());
    let payload = &retry[0].payload;
    assert_eq!(field(payload, "class"), "HasOptions");
    assert_eq!(field(payload, "queue"), "low");
    let written = field(payload, "error_backtrace");
    assert_eq!(
        read_backtrace(written.as_str().unwrap()).unwrap(),
        ["no mail"]
    );
}

async fn a_server_writes_as_its_client_does(flow: Flow) {
    let config = sancho::Config::new().sidekiq_wire(Wire::Sidekiq6);
    let client = sancho::testing::client_with(flow.store().clone(), &config);
    let of_client = server(&flow).client(&client);
    let retry = failed(&flow, of_client, TimedSet::Retry, &payload("Refuses", "")).await;
    assert!(has(&retry, "failed_at", flow.now().as_score()));
}

async fn the_servers_own_number_of_tries(flow: Flow) {
    let payload = payload("Refuses", r#","retry":true,"retry_count":0"#);
    let builder = server(&flow).max_retries(1);
    let dead = failed(&flow, builder, TimedSet::Dead, &payload).await;
    assert_eq!(field(&dead, "retry_count"), 1);
}

async fn the_dead_set_keeps_one_less_than_its_limit_and_nothing_too_old(flow: Flow) {
    let die = |n| payload("Refuses", &format!(r#","retry":0,"n":{n}"#));
    let running = Running::start(
        server(&flow)
            .dead_max_jobs(4)
            .dead_timeout(Duration::from_secs(60)),
    );
    let kept = || async {
        let dead = flow.timed(TimedSet::Dead).await;
        dead.iter()
            .map(|entry| field(&entry.payload, "n").as_i64().unwrap())
            .collect::<Vec<_>>()
    };
    for n in 0..6 {
        flow.push_raw("default", die(n).as_bytes()).await;
        flow.until("it is dead", || async { kept().await.last() == Some(&n) })
            .await;
        flow.pass(Duration::from_secs(1));
    }
    assert_eq!(kept().await, [3, 4, 5]);
    flow.pass(Duration::from_millis(58_500));
    flow.push_raw("default", die(6).as_bytes()).await;
    flow.until("it is dead", || async { kept().await.last() == Some(&6) })
        .await;
    assert_eq!(kept().await, [5, 6]);
    running.stop().await;
}

flows! {
    without_a_retry_the_jobs_own_counts_and_is_written
    an_absent_retry_is_the_jobs_own_too
    retry_zero_is_dead_at_once
    a_job_of_an_unknown_class_with_retry_false_is_gone
    dead_false_is_not_buried
    retry_for_counts_and_the_number_of_tries_does_not
    a_job_whose_retry_for_is_over_is_dead
    the_next_try_goes_to_the_retry_queue
    a_retry_stays_in_the_queue_that_it_was_taken_from
    a_try_by_hand_counts_as_none
    waits_that_jobs_ask_for_have_jitter_too
    a_backtrace_is_written_where_it_is_asked_for
    as_many_lines_as_are_asked_for
    the_backtrace_of_a_panic_is_its_place
    nobody_asked_for_a_backtrace
    a_message_is_cut_after_ten_thousand_characters
    times_have_the_form_of_the_version_beside_us
    an_activejob_payload_follows_the_same_rules
    an_activejob_payload_has_the_retries_of_the_job_that_it_wraps
    the_options_of_a_job_count_for_what_it_pushes
    a_server_writes_as_its_client_does
    the_servers_own_number_of_tries
    the_dead_set_keeps_one_less_than_its_limit_and_nothing_too_old
}
