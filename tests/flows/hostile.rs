//! Names and texts that mean harm: shown and logged in one line each, and nothing else happens.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use sancho::api::doctor;
use sancho::job;
use sancho::store::{Members, TimedSet};
use serde_json::value::RawValue;
use tracing_subscriber::fmt::MakeWriter;

use crate::harness::{Flow, Report, Running, field, flows};

/// A line break that pretends to begin another line, and what a terminal would obey.
const EVIL: &str = "%s%n{}{0}\r\nERROR forged\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\u{202e}";

#[job]
async fn measures(arg: Box<RawValue>, #[state] to: &Report) {
    to.send(arg.get().len().to_string()).unwrap();
}

#[job]
async fn fails_with(text: String, times: u32) -> Result<(), String> {
    Err(text.repeat(usize::try_from(times).unwrap()))
}

#[job]
async fn panics_with(text: String) {
    panic!("{text}");
}

#[job]
async fn discards_with(text: String) -> sancho::Outcome {
    sancho::Outcome::Discard(text)
}

fn payload(class: &str, args: &serde_json::Value) -> String {
    serde_json::json!({"class": class, "args": args, "jid": "1", "queue": "default", "retry": 3})
        .to_string()
}

/// What was logged.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// On one thread, whose log is caught.
#[tokio::test]
async fn what_jobs_are_called_and_say_forges_no_line_of_the_log() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    let _caught = tracing::subscriber::set_default(subscriber);
    let flow = Flow::on(sancho_tests::Kind::Memory).await;
    let (server, mut reports) = flow.server();
    let server = server
        .only::<measures>()
        .only::<fails_with>()
        .only::<panics_with>()
        .only::<discards_with>();
    let server = server.build().unwrap();
    let handle = server.handle();
    let running = Running::run(server);
    let evil = serde_json::json!([EVIL]);
    let hostile = [
        payload(EVIL, &evil),
        payload("FailsWith", &serde_json::json!([EVIL, 1])),
        payload("PanicsWith", &evil),
        payload("DiscardsWith", &evil),
        payload("Measures", &serde_json::json!([1, EVIL])),
        payload("FailsWith", &evil).replace("\"jid\":\"1\"", &format!("\"jid\":{}", evil[0])),
        EVIL.to_owned(),
        format!("{{\"class\":[{}]}}", evil[0]),
    ];
    for payload in &hostile {
        flow.push_raw("default", payload.as_bytes()).await;
    }
    flow.push_raw(
        "default",
        payload("Measures", &serde_json::json!([1])).as_bytes(),
    )
    .await;
    reports.next().await;
    flow.until_timed(TimedSet::Retry, 5).await;
    flow.until_timed(TimedSet::Dead, 2).await;
    handle.dump();
    running.stop().await;
    let log = log.text();
    assert!(log.contains("fail: "), "{log}");
    assert!(log.contains(r"\r\nERROR forged"), "{log}");
    for line in log.lines() {
        // Each begins with the time.
        assert!(line.starts_with("20"), "{line:?}");
        assert!(!line.contains(char::is_control), "{line:?}");
        assert!(!line.contains('\u{202e}'), "{line:?}");
    }
}

#[tokio::test]
async fn what_is_very_long_is_cut_off_in_the_log() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    let _caught = tracing::subscriber::set_default(subscriber);
    let flow = Flow::on(sancho_tests::Kind::Memory).await;
    let (server, _reports) = flow.server();
    let running = Running::start(server.only::<fails_with>());
    let long = "x".repeat(1_000_000);
    flow.push_raw(
        "default",
        payload("FailsWith", &serde_json::json!([long, 1])).as_bytes(),
    )
    .await;
    flow.push_raw("default", payload(&long, &serde_json::json!([])).as_bytes())
        .await;
    flow.until_timed(TimedSet::Retry, 2).await;
    running.stop().await;
    let log = log.text();
    assert_eq!(log.matches("fail: ").count(), 2);
    assert!(log.len() < 20_000, "{} bytes", log.len());
}

/// The message in the payload is as long as Sidekiq's may be, the log's is shorter, and the worker goes on.
async fn an_error_of_fifty_megabytes_is_cut_off(flow: Flow) {
    let (server, mut reports) = flow.server();
    let server = server.only::<fails_with>().only::<measures>();
    let running = Running::start(server);
    let args = serde_json::json!(["é".repeat(1_000), 25_000]);
    flow.push_raw("default", payload("FailsWith", &args).as_bytes())
        .await;
    let retry = flow.until_timed(TimedSet::Retry, 1).await;
    let message = field(&retry[0].payload, "error_message");
    let message = message.as_str().unwrap();
    assert_eq!(message.chars().count(), 10_000);
    assert!(message.chars().all(|part| part == 'é'));
    flow.push_raw(
        "default",
        payload("Measures", &serde_json::json!([1])).as_bytes(),
    )
    .await;
    assert_eq!(reports.next().await, "1");
    running.stop().await;
}

/// A glob is a name like any other, and one that nobody may push to is still served where it is named.
async fn the_name_of_a_queue_is_taken_as_it_is(flow: Flow) {
    let odd = [
        "*",
        "ma?ls",
        "[a-z]*",
        "mails",
        EVIL,
        "a\\*",
        "sancho:owners",
    ];
    for (n, name) in odd.iter().enumerate() {
        let args = serde_json::json!(["x".repeat(n)]);
        let jid = format!("\"jid\":\"{n}\"");
        let payload = payload("Measures", &args).replace("\"jid\":\"1\"", &jid);
        flow.push_raw(name, payload.as_bytes()).await;
    }
    let listed = flow.store().members(Members::Queues).await.unwrap();
    let mut sorted = odd.map(str::to_owned);
    sorted.sort();
    assert_eq!(listed, sorted);
    let looked = doctor(&flow.client).await.unwrap();
    assert!(
        looked.is_sound() && looked.violations.is_empty(),
        "{looked}"
    );
    assert_eq!(looked.payloads, 7);
    for served in [0, 2, 1, 5] {
        let (server, mut reports) = flow.server();
        let server = server.queues([odd[served]]).only::<measures>();
        let running = Running::start(server);
        assert_eq!(reports.next().await, (served + 2).to_string());
        running.stop().await;
        assert!(reports.is_silent());
    }
    for left in ["mails", EVIL, "sancho:owners"] {
        assert_eq!(flow.queue(left).await.len(), 1, "{left:?}");
    }
}

async fn a_queue_that_nobody_may_push_to_is_refused_in_one_line(flow: Flow) {
    let pushed = measures::set()
        .client(&flow.client)
        .queue(EVIL)
        .perform_async(RawValue::from_string("1".into()).unwrap())
        .await;
    let error = pushed.unwrap_err().to_string();
    assert!(!error.contains(char::is_control), "{error:?}");
    assert!(flow.queue(EVIL).await.is_empty());
    assert!(
        flow.store()
            .members(Members::Queues)
            .await
            .unwrap()
            .is_empty()
    );
}

/// How large a huge payload is, in MB. Unoptimised code takes a minute for a hundred:
/// `cargo test --release -p sancho-tests --test flows huge -- --nocapture --test-threads=1`.
const HUGE: usize = if cfg!(debug_assertions) { 12 } else { 100 };

async fn a_huge_payload_runs_fails_and_is_looked_at(flow: Flow) {
    let large = "x".repeat(HUGE * 1024 * 1024);
    let before = resident();
    let (server, mut reports) = flow.server();
    let running = Running::start(server.only::<measures>().only::<fails_with>());
    let args = format!("[\"{large}\"]");
    let job = |class: &str| {
        format!(
            r#"{{"class":"{class}","args":{args},"jid":"{class}","queue":"default","retry":3}}"#
        )
    };
    flow.push_raw("default", job("Measures").as_bytes()).await;
    assert_eq!(reports.next().await, (large.len() + 2).to_string());
    flow.push_raw("default", job("FailsWith").as_bytes()).await;
    let retry = flow.until_timed(TimedSet::Retry, 1).await;
    assert!(retry[0].payload.len() > large.len());
    drop(retry);
    running.stop().await;
    let looked = doctor(&flow.client).await.unwrap();
    assert!(
        looked.is_sound() && looked.violations.is_empty(),
        "{looked}"
    );
    // What it was handed, a few copies on their way, and no more.
    let most = resident().1.saturating_sub(before.0);
    println!("at most {} MB for a payload of {HUGE} MB", most / 1024);
}

/// What this process holds and held at most, in KiB.
fn resident() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let find = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        number.and_then(|number| number.parse().ok()).unwrap_or(0)
    };
    (find("VmRSS:"), find("VmHWM:"))
}

flows! {
    a_huge_payload_runs_fails_and_is_looked_at
    an_error_of_fifty_megabytes_is_cut_off
    the_name_of_a_queue_is_taken_as_it_is
    a_queue_that_nobody_may_push_to_is_refused_in_one_line
}
