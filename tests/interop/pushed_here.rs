//! Ruby pushes, we run.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sancho::{Context, GlobalId, job};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::harness::{Interop, Report, Running};

#[job(class = "RustJob")]
#[expect(clippy::too_many_arguments, reason = "one for each type of JSON")]
async fn every_type(
    #[context] cx: &Context,
    nothing: Option<Value>,
    truth: bool,
    small: i64,
    large: u64,
    fraction: f64,
    huge: f64,
    text: String,
    list: Vec<Value>,
    object: BTreeMap<String, Value>,
    any: Value,
    #[state] to: &Report,
) {
    let args = json!([
        nothing, truth, small, large, fraction, huge, text, list, object, any
    ]);
    let told =
        json!({ "jid": cx.jid().as_str(), "queue": cx.queue(), "tags": cx.tags(), "args": args });
    to.send(told).unwrap();
}

#[job(class = "RustCounts")]
async fn counts(n: u64, #[state] to: &Report) {
    to.send(json!(n)).unwrap();
}

#[derive(Serialize, Deserialize)]
struct Options {
    note: String,
    at: DateTime<Utc>,
    wait: f64,
}

#[job(class = "NotificationJob")]
async fn notification(user: GlobalId, options: Options, #[state] to: &Report) {
    to.send(json!([user.model(), user.id(), options])).unwrap();
}

fn every_value() -> Value {
    json!([
        null,
        true,
        -9_007_199_254_740_993_i64,
        u64::MAX,
        0.1,
        1e300,
        "ü 😀 \u{0} \" \\ \n </script> \u{2028}",
        [1, [2.5, null], {}],
        { "a": { "b": [null] }, "": "empty", "ß": 1 },
        [[[]]],
    ])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arguments_of_every_type_arrive_as_ruby_pushed_them() {
    let interop = Interop::start().await;
    let (server, mut reports) = interop.server();
    let running = Running::start(server.queues(["default", "mail"]).only::<every_type>());

    let code = "RustJob.perform_async(*a)";
    let jid = interop.ruby.eval(code, every_value()).await;
    let wanted = json!({ "jid": jid, "queue": "default", "tags": [], "args": every_value() });
    assert_eq!(reports.next().await, wanted);

    let code = "RustJob.set(queue: :mail, tags: ['vip', :night]).perform_async(*a)";
    let jid = interop.ruby.eval(code, every_value()).await;
    let wanted =
        json!({ "jid": jid, "queue": "mail", "tags": ["vip", "night"], "args": every_value() });
    assert_eq!(reports.next().await, wanted);
    running.stop().await;
    assert_eq!(
        interop.ruby.get("Sidekiq::RetrySet.new.size").await,
        json!(0)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_ruby_schedules_runs_when_it_is_due() {
    let interop = Interop::start().await;
    let (server, mut reports) = interop.server();
    let running = Running::start(server.only::<counts>());
    let code =
        "Sidekiq::Client.push('class' => 'RustCounts', 'args' => [2], 'at' => Time.now.to_f + 60)";
    interop.ruby.get(code).await;
    let code = "due = Time.now.to_f + 0.7
        Sidekiq::Client.push('class' => 'RustCounts', 'args' => [1], 'at' => due)
        due";
    let due = interop.ruby.get(code).await.as_f64().unwrap();
    assert_eq!(reports.next().await, 1);
    let now = interop.ruby.get("Time.now.to_f").await.as_f64().unwrap();
    assert!(now >= due, "{now} {due}");
    let left = interop
        .ruby
        .get("Sidekiq::ScheduledSet.new.map { |entry| entry.args }")
        .await;
    assert_eq!(left, json!([[2]]));
    assert!(reports.is_silent());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_of_ruby_runs() {
    let interop = Interop::start().await;
    let code = "Sidekiq::Client.push_bulk('class' => 'RustCounts', 'args' => (0...2_500).map { |n| [n] }).size";
    assert_eq!(interop.ruby.get(code).await, json!(2_500));
    let (server, mut reports) = interop.server();
    let running = Running::start(server.only::<counts>());
    let mut seen = Vec::new();
    for _ in 0..2_500 {
        seen.push(reports.next().await.as_u64().unwrap());
    }
    running.stop().await;
    assert!(reports.is_silent());
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..2_500));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_active_job_pushes_runs() {
    let interop = Interop::start().await;
    let (server, mut reports) = interop.server();
    let running = Running::start(server.only::<notification>());
    let code = r#"
        require "active_job"
        require "global_id"
        ActiveJob::Base.queue_adapter = :sidekiq
        ActiveJob::Base.logger = Logger.new(nil)
        GlobalID.app = "shop"
        Time.zone = "UTC"
        User = Struct.new(:id) { include GlobalID::Identification }
        class NotificationJob < ActiveJob::Base
        end
        at = Time.zone.at(1_795_000_000, 500, :millisecond)
        NotificationJob.perform_later(User.new(42), note: "now", at: at, wait: 90.minutes)
        NotificationJob.set(wait: 0.3.seconds).perform_later(User.new(43), note: "soon", at: at, wait: 1.5.seconds)
        at.iso8601(3)
    "#;
    let at = interop.ruby.get(code).await;
    let at: DateTime<Utc> = at.as_str().unwrap().parse().unwrap();
    let options = |note: &str, wait: f64| json!({ "note": note, "at": at, "wait": wait });
    assert_eq!(
        reports.next().await,
        json!(["User", "42", options("now", 5_400.0)])
    );
    assert_eq!(
        reports.next().await,
        json!(["User", "43", options("soon", 1.5)])
    );
    running.stop().await;
}
