//! The bytes that a running Sidekiq wrote, and those that we write in its place.

use sancho::engine::{Execution, Middleware, Next};
use sancho::job::Timestamp;
use sancho::job::payload::{Wire, read_backtrace};
use sancho::store::{Place, TimedSet};
use sancho::{Failure, Outcome, job};
use sancho_tests::{Clock, Kind};

use crate::harness::{Flow, Running, fields, flows};

#[job]
async fn fail_job(n: u8) -> Result<(), String> {
    Err(format!("failed with {n}"))
}

/// Makes every failure the one that was seen.
struct Seen(&'static str, &'static str);

impl Middleware for Seen {
    async fn call(&self, _: &Execution<'_>, next: Next<'_>) -> Result<Outcome, Failure> {
        let failure = match next.run().await {
            Ok(outcome) => return Ok(outcome),
            Err(failure) => failure,
        };
        Err(Failure {
            class: self.0.into(),
            message: self.1.into(),
            backtrace: (1..9).map(|n| format!("app.rb:{n}")).collect(),
            ..failure
        })
    }
}

/// What a payload came to after a failure at that time.
async fn failed(
    kind: Kind,
    payload: &str,
    queue: &str,
    at: Timestamp,
    wire: Wire,
    seen: Seen,
    set: TimedSet,
) -> (Vec<(String, String)>, Timestamp) {
    let flow = Flow::under(kind, Clock::at(at)).await;
    flow.push_raw(queue, payload.as_bytes()).await;
    let server = flow.server().0.only::<fail_job>().middleware(seen);
    let running = Running::start(server.queues([queue]).sidekiq_wire(wire));
    let entries = flow.until_timed(set, 1).await;
    running.stop().await;
    (fields(&entries[0].payload), entries[0].at.unwrap())
}

/// The fields, with `error_backtrace` in its place and unpacked: the bytes of its compression are those of another library.
fn unpacked(mut fields: Vec<(String, String)>) -> Vec<(String, String)> {
    for (key, value) in &mut fields {
        if key == "error_backtrace" {
            let packed: String = serde_json::from_str(value).unwrap();
            assert!(packed.starts_with("eJ"), "{packed}");
            *value = format!("{:?}", read_backtrace(&packed).unwrap());
        }
    }
    fields
}

const MILLIS: i64 = 1_000;

async fn the_first_retry(kind: Kind) {
    let pushed = r#"{"retry":5,"queue":"critical","backtrace":3,"tags":["t1"],"args":[1],"class":"FailJob","jid":"80aa55ed27c960c219b48636","created_at":1795469303553,"enqueued_at":1795469303553}"#;
    let at = Timestamp::from_micros(1_795_469_303_994 * MILLIS + 799);
    let seen = Seen("ArgumentError", "boom é");
    let (retry, due) = failed(
        kind,
        pushed,
        "critical",
        at,
        Wire::Sidekiq8,
        seen,
        TimedSet::Retry,
    )
    .await;
    let sample = r#"{"retry":5,"queue":"critical","backtrace":3,"tags":["t1"],"args":[1],"class":"FailJob","jid":"80aa55ed27c960c219b48636","created_at":1795469303553,"enqueued_at":1795469303553,"error_message":"boom é","error_class":"ArgumentError","failed_at":1795469303994,"retry_count":0,"error_backtrace":"eJyLVkosKNArSrIyVNKBMY0QTGOlWACwtAnq"}"#;
    let lines = unpacked(retry);
    assert_eq!(lines, unpacked(fields(sample.as_bytes())));
    assert_eq!(
        lines.last().unwrap().1,
        r#"["app.rb:1", "app.rb:2", "app.rb:3"]"#
    );
    // Its score has the microseconds of the failure, as the sample's has.
    assert_eq!(due.as_micros() % 1_000_000, 994_799);
}

async fn the_second_retry(kind: Kind) {
    let promoted = r#"{"retry":true,"queue":"default","args":[1],"class":"FailJob","jid":"80aa55ed27c960c219b48636","created_at":1795469303553,"enqueued_at":1795469324737,"error_message":"x","error_class":"Other","failed_at":1795469304016,"retry_count":0}"#;
    let at = Timestamp::from_millis(1_795_469_324_738);
    let seen = Seen("RuntimeError", "rf");
    let (retry, _) = failed(
        kind,
        promoted,
        "default",
        at,
        Wire::Sidekiq8,
        seen,
        TimedSet::Retry,
    )
    .await;
    let sample = r#"{"retry":true,"queue":"default","args":[1],"class":"FailJob","jid":"80aa55ed27c960c219b48636","created_at":1795469303553,"enqueued_at":1795469324737,"error_message":"rf","error_class":"RuntimeError","failed_at":1795469304016,"retry_count":1,"retried_at":1795469324738}"#;
    assert_eq!(retry, fields(sample.as_bytes()));
}

async fn a_dead_job(kind: Kind) {
    let pushed = r#"{"retry":0,"queue":"default","args":[1],"class":"FailJob","jid":"eb8e55ed27c960c219b48636","created_at":1795469303900,"enqueued_at":1795469303901}"#;
    let at = Timestamp::from_micros(1_795_469_304_010_469);
    let seen = Seen("RuntimeError", "dead now");
    let (dead, died) = failed(
        kind,
        pushed,
        "default",
        at,
        Wire::Sidekiq8,
        seen,
        TimedSet::Dead,
    )
    .await;
    let sample = r#"{"retry":0,"queue":"default","args":[1],"class":"FailJob","jid":"eb8e55ed27c960c219b48636","created_at":1795469303900,"enqueued_at":1795469303901,"error_message":"dead now","error_class":"RuntimeError","failed_at":1795469304010,"retry_count":0}"#;
    assert_eq!(dead, fields(sample.as_bytes()));
    assert_eq!(died, at);
}

async fn a_retry_for_version_7(kind: Kind) {
    let pushed = r#"{"retry":true,"queue":"default","args":[1,1.0,1.0e+20,12345678901234567890,"日本"],"class":"PlainJob","jid":"63c755ed27c960c219b48636","created_at":1795469481.0779636,"enqueued_at":1795469481.0780618}"#;
    let at = Timestamp::from_micros(1_795_469_482_500_250);
    for (wire, failed_at) in [
        (Wire::Sidekiq6, "1795469482.50025"),
        (Wire::Sidekiq7, "1795469482.50025"),
        (Wire::Sidekiq8, "1795469482500"),
    ] {
        let seen = Seen("X", "x");
        let (retry, _) = failed(kind, pushed, "default", at, wire, seen, TimedSet::Retry).await;
        let before = fields(pushed.as_bytes());
        assert_eq!(retry[..before.len()], before);
        let (keys, values): (Vec<_>, Vec<_>) = retry[before.len()..].iter().cloned().unzip();
        assert_eq!(
            keys,
            ["error_message", "error_class", "failed_at", "retry_count"]
        );
        assert_eq!(values[1], "\"sancho::UnknownClass\"");
        assert_eq!(values[2..], [failed_at, "0"]);
    }
}

async fn a_scheduled_job_that_is_due(kind: Kind) {
    let scheduled = r#"{"retry":true,"queue":"low","class":"PlainJob","args":["later"],"jid":"7e4055ed27c960c219b48636","created_at":1795469264490}"#;
    let at = Timestamp::from_micros(1_795_472_864_490_251);
    let flow = Flow::under(kind, Clock::at(at)).await;
    let set = TimedSet::Schedule;
    flow.put(scheduled.as_bytes(), Place::Timed { set, at })
        .await;
    let running = Running::start(flow.server().0.only::<fail_job>());
    flow.until("it is in its queue", || async {
        flow.queue("low").await.len() == 1
    })
    .await;
    running.stop().await;
    assert_eq!(
        flow.queue("low").await[0],
        r#"{"retry":true,"queue":"low","class":"PlainJob","args":["later"],"jid":"7e4055ed27c960c219b48636","created_at":1795469264490,"enqueued_at":1795472864490}"#
    );
}

async fn bad_json_is_dead(kind: Kind) {
    let at = Timestamp::from_micros(1_795_469_304_025_072);
    let flow = Flow::under(kind, Clock::at(at)).await;
    flow.push_raw("default", b"{bad json").await;
    let running = Running::start(flow.server().0.only::<fail_job>());
    let dead = flow.until_timed(TimedSet::Dead, 1).await;
    running.stop().await;
    assert_eq!(dead[0].payload, "{bad json");
    assert_eq!(dead[0].at, Some(at));
    assert_eq!(flow.counters().await, (0, 0));
}

flows! { of kind
    the_first_retry
    the_second_retry
    a_dead_job
    a_retry_for_version_7
    a_scheduled_job_that_is_due
    bad_json_is_dead
}
