//! We push, a process of Sidekiq runs.

use std::time::Duration;

use sancho::{JobId, job};
use serde_json::{Value, json};

use crate::harness::{Interop, Running};

/// Gives a server of ours something to serve that nobody pushes.
#[job(class = "Unused")]
async fn unused() {}

fn every_value() -> Value {
    json!([null, false, -1, u64::MAX, 0.1, 1e20, "ü 😀 \u{0}", [1, [2.5]], { "a": { "b": null } }])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ruby_runs_what_we_push() {
    let interop = Interop::start().await;
    let (mut sidekiq, _) = interop.sidekiq(&["default", "mail"]).await;
    let before = interop.ruby.get("Time.now.to_f").await.as_f64().unwrap();

    let plain = interop.client.push("RubyJob", every_value()).await.unwrap();
    let ran = interop.ran(1).await;
    let (job, queue) = (&ran[0]["job"], &ran[0]["queue"]);
    assert_eq!(job["jid"], plain.as_str());
    assert_eq!(job["args"], every_value());
    assert_eq!(job["retry"], true);
    assert_eq!(queue, "default");
    for time in ["created_at", "enqueued_at"] {
        let time = job[time].as_f64().unwrap();
        assert!(time > before - 1.0 && time < before + 60.0, "{job}");
    }

    let choosy = interop.client.job("RubyJob").queue("mail").retry(3);
    let choosy = choosy.tags(["vip", "night"]).field("locale", "fr");
    let choosy = choosy.perform_async((7,)).await.unwrap();
    let ran = interop.ran(2).await;
    let (job, queue) = (&ran[1]["job"], &ran[1]["queue"]);
    assert_eq!(job["jid"], choosy.as_str());
    assert_eq!(job["args"], json!([7]));
    assert_eq!(job["retry"], 3);
    assert_eq!(job["tags"], json!(["vip", "night"]));
    assert_eq!(job["locale"], "fr");
    assert_eq!(queue, "mail");
    sidekiq.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ruby_runs_our_bulk() {
    let interop = Interop::start().await;
    let (mut sidekiq, _) = interop.sidekiq(&["default"]).await;
    let items = (0..1_500).map(|n| (n,));
    let ids = interop.client.push_bulk("RubyJob", items).await.unwrap();
    let ran = interop.ran(1_500).await;
    let mut ran: Vec<(u64, &str)> = ran
        .iter()
        .map(|ran| {
            let job = &ran["job"];
            (
                job["args"][0].as_u64().unwrap(),
                job["jid"].as_str().unwrap(),
            )
        })
        .collect();
    ran.sort_unstable();
    assert!(ran.into_iter().eq((0..).zip(ids.iter().map(JobId::as_str))));
    sidekiq.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ruby_promotes_what_we_schedule() {
    let interop = Interop::start().await;
    let later = interop.client.job("RubyJob");
    later
        .perform_in(Duration::from_secs(600), (2,))
        .await
        .unwrap();
    let soon = Duration::from_millis(300);
    let jid = later.perform_in(soon, (1,)).await.unwrap();
    let found = interop
        .ruby
        .eval(
            "entry = Sidekiq::ScheduledSet.new.find_job(a); [entry.item.key?('at'), entry.at - entry.created_at]",
            json!(jid.as_str()),
        )
        .await;
    assert_eq!(found[0], false);
    let delay = found[1].as_f64().unwrap();
    assert!((0.25..0.35).contains(&delay), "{delay}");

    let (mut sidekiq, _) = interop.sidekiq(&["default"]).await;
    let ran = interop.ran(1).await;
    assert_eq!(ran[0]["job"]["jid"], jid.as_str());
    assert_eq!(ran[0]["job"]["args"], json!([1]));
    sidekiq.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn we_promote_what_ruby_runs() {
    let interop = Interop::start().await;
    let (server, _reports) = interop.server();
    let running = Running::start(server.queues(["ours"]).only::<unused>());
    let job = interop.client.job("RubyJob").retry(4).tags(["late"]);
    let soon = Duration::from_millis(300);
    let jid = job.perform_in(soon, (1, "x")).await.unwrap();
    let code = "[Sidekiq::ScheduledSet.new.size, Sidekiq::Queue.new.size]";
    interop
        .until_ruby(code, Value::Null, |sizes| *sizes == json!([0, 1]))
        .await;
    running.stop().await;

    let (mut sidekiq, _) = interop.sidekiq(&["default"]).await;
    let ran = interop.ran(1).await;
    let job = &ran[0]["job"];
    assert_eq!(job["jid"], jid.as_str());
    assert_eq!(job["args"], json!([1, "x"]));
    assert_eq!(job["retry"], 4);
    assert_eq!(job["tags"], json!(["late"]));
    assert!(job["enqueued_at"].as_f64().unwrap() > job["created_at"].as_f64().unwrap());
    sidekiq.stop().await;
}
