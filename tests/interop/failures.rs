//! A job fails on one side, and the other side finds, retries, reschedules, kills and deletes it.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use chrono::Utc;
use sancho::api::{Acted, SortedEntry};
use sancho::job::Timestamp;
use sancho::{Context, job};
use serde_json::{Value, json};

use crate::harness::{Interop, Report, Running, until};

/// An error with a class of its own.
#[derive(Debug)]
struct NoInk(String);

impl fmt::Display for NoInk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for NoInk {}

#[job(class = "RustFails")]
async fn fails(
    #[context] cx: &Context,
    message: String,
    #[state] to: &Report,
) -> Result<(), NoInk> {
    to.send(json!([cx.jid().as_str(), cx.attempt()])).unwrap();
    Err(NoInk(message))
}

/// The entry of a set with this id, once it is there.
async fn found(interop: &Interop, set: &str, jid: &Value) -> Value {
    let code = format!("shown(Sidekiq::{set}.new.find_job(a))");
    interop
        .until_ruby(&code, jid.clone(), |entry| !entry.is_null())
        .await
}

/// The sizes of the retry set, the dead set and the queue `default`.
async fn sizes(interop: &Interop) -> Value {
    let code = "[Sidekiq::RetrySet.new.size, Sidekiq::DeadSet.new.size, Sidekiq::Queue.new.size]";
    interop.ruby.get(code).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ruby_manages_what_failed_here() {
    let interop = Interop::start().await;
    let ruby = &interop.ruby;
    let (server, mut reports) = interop.server();
    let running = Running::start(server.only::<fails>());
    let before = ruby.get("Time.now.to_f").await.as_f64().unwrap();
    let push = "Sidekiq::Client.push('class' => 'RustFails', 'args' => [a], 'retry' => 5, 'backtrace' => true, 'tags' => ['x'])";
    let jid = ruby.eval(push, json!("no ink: ü")).await;
    assert_eq!(reports.next().await, json!([jid, 1]));

    let entry = found(&interop, "RetrySet", &jid).await;
    let item = &entry["item"];
    assert_eq!(entry["class"], "RustFails");
    assert_eq!(entry["args"], json!(["no ink: ü"]));
    assert_eq!(entry["queue"], "default");
    assert_eq!(entry["tags"], json!(["x"]));
    assert_eq!(item["error_class"], "interop::failures::NoInk");
    assert_eq!(item["error_message"], "no ink: ü");
    assert_eq!(item["retry"], 5);
    assert_eq!(item["retry_count"], 0);
    assert_eq!(item.get("retried_at"), None);
    let failed_at = item["failed_at"].as_f64().unwrap();
    assert!(failed_at > before && failed_at < before + 60.0, "{item}");
    // Sidekiq waits 15 s and up to 10 s more before the first retry.
    let wait = entry["at"].as_f64().unwrap() - failed_at;
    assert!((14.9..26.0).contains(&wait), "{wait}");
    assert_eq!(entry["backtrace"], json!(["no ink: ü"]));

    ruby.eval("Sidekiq::RetrySet.new.find_job(a).retry", jid.clone())
        .await;
    // A retry by hand does not count.
    assert_eq!(reports.next().await, json!([jid, 1]));
    let again = found(&interop, "RetrySet", &jid).await;
    assert_eq!(again["item"]["retry_count"], 0);
    assert_eq!(again["item"]["failed_at"], item["failed_at"]);
    assert!(again["item"]["retried_at"].as_f64().unwrap() > failed_at);

    let reschedule = "Sidekiq::RetrySet.new.find_job(a[0]).reschedule(a[1])";
    ruby.eval(reschedule, json!([jid, before + 1_000.0])).await;
    let later = found(&interop, "RetrySet", &jid).await;
    assert!((later["at"].as_f64().unwrap() - before - 1_000.0).abs() < 0.001);
    assert_eq!(later["item"], again["item"]);
    ruby.eval(reschedule, json!([jid, before])).await;
    assert_eq!(reports.next().await, json!([jid, 2]));
    found(&interop, "RetrySet", &jid).await;

    ruby.eval("Sidekiq::RetrySet.new.find_job(a).kill", jid.clone())
        .await;
    assert_eq!(sizes(&interop).await, json!([0, 1, 0]));
    assert_eq!(
        found(&interop, "DeadSet", &jid).await["item"]["retry_count"],
        1
    );
    ruby.eval("Sidekiq::DeadSet.new.find_job(a).retry", jid.clone())
        .await;
    assert_eq!(reports.next().await, json!([jid, 2]));

    found(&interop, "RetrySet", &jid).await;
    ruby.eval("Sidekiq::RetrySet.new.find_job(a).delete", jid.clone())
        .await;
    assert_eq!(sizes(&interop).await, json!([0, 0, 0]));
    running.stop().await;
    assert!(reports.is_silent());
    let stats = "s = Sidekiq::Stats.new; [s.processed, s.failed]";
    assert_eq!(ruby.get(stats).await, json!([4, 4]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_dies_here_is_in_rubys_dead_set() {
    let interop = Interop::start().await;
    let (server, mut reports) = interop.server();
    let running = Running::start(server.only::<fails>());
    let push = "Sidekiq::Client.push('class' => 'RustFails', 'args' => [a], 'retry' => 0)";
    let jid = interop.ruby.eval(push, json!("fatal")).await;
    reports.next().await;
    let entry = found(&interop, "DeadSet", &jid).await;
    assert_eq!(entry["item"]["error_message"], "fatal");
    assert_eq!(entry["args"], json!(["fatal"]));
    interop
        .ruby
        .eval("Sidekiq::DeadSet.new.find_job(a).delete", jid)
        .await;
    assert_eq!(sizes(&interop).await, json!([0, 0, 0]));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn we_manage_what_failed_in_ruby() {
    let interop = Interop::start().await;
    let (api, retries) = (interop.api(), interop.api().retries());
    let before = Timestamp::from_wall_clock();
    let job = interop.client.job("RubyFails").retry(5).backtrace(3);
    let jid = job.perform_async(("no ink: ü",)).await.unwrap();
    let jid = jid.as_str();
    let (mut sidekiq, _) = interop.sidekiq(&["default"]).await;
    // The entry that was tried after this time.
    let failed = |before: Option<Timestamp>| {
        let retries = &retries;
        async move {
            let tried = |entry: &SortedEntry| match entry.job().retried_at() {
                Some(at) => before.is_some_and(|before| at > before),
                None => before.is_none(),
            };
            until("it is in the retry set", || async {
                retries
                    .find(jid)
                    .await
                    .unwrap()
                    .is_some_and(|entry| tried(&entry))
            })
            .await;
            retries.find(jid).await.unwrap().unwrap()
        }
    };

    let first = failed(None).await;
    let job = first.job();
    assert_eq!(job.class(), "RubyFails");
    assert_eq!(job.args(), Some(r#"["no ink: ü"]"#));
    assert_eq!(job.error_class().as_deref(), Some("ArgumentError"));
    assert_eq!(job.error_message().as_deref(), Some("no ink: ü"));
    assert_eq!(job.retry_count(), Some(0));
    assert!(job.failed_at().unwrap() > before && job.failed_at().unwrap() < first.at());
    let backtrace = job.error_backtrace().unwrap();
    assert_eq!(backtrace.len(), 3);
    assert!(backtrace[0].contains("worker.rb"), "{backtrace:?}");

    assert_eq!(retries.retry(&first).await.unwrap(), Acted::Done);
    let second = failed(job.failed_at()).await;
    // A retry by hand does not count.
    assert_eq!(second.job().retry_count(), Some(0));
    assert_eq!(second.job().failed_at(), first.job().failed_at());
    assert!(second.job().retried_at() > second.job().failed_at());

    let later = Timestamp::from(Utc::now()).after(Duration::from_secs(1_000));
    assert_eq!(
        retries.reschedule(&second, later).await.unwrap(),
        Acted::Done
    );
    let moved = retries.find(jid).await.unwrap().unwrap();
    assert!(moved.at().since(later) < Duration::from_millis(1));
    assert_eq!(moved.job().payload(), second.job().payload());
    // Ruby's poller finds it due.
    assert_eq!(
        retries.reschedule(&moved, before).await.unwrap(),
        Acted::Done
    );
    let third = failed(second.job().retried_at()).await;
    assert_eq!(third.job().retry_count(), Some(1));

    assert_eq!(retries.kill(&third).await.unwrap(), Acted::Done);
    let dead = found(&interop, "DeadSet", &json!(jid)).await;
    assert_eq!(dead["item"]["error_class"], "ArgumentError");
    let dead = api.dead().find(jid).await.unwrap().unwrap();
    assert_eq!(api.dead().retry(&dead).await.unwrap(), Acted::Done);
    let fourth = failed(third.job().retried_at()).await;
    assert_eq!(fourth.job().retry_count(), Some(1));

    assert_eq!(retries.delete(&fourth).await.unwrap(), Acted::Done);
    assert_eq!(sizes(&interop).await, json!([0, 0, 0]));
    sidekiq.stop().await;
}
