//! Both sides work one queue at once.

use sancho::job;
use serde_json::{Value, json};

use crate::harness::{Interop, Report, Running};

/// How many jobs there are: half of them are pushed by each side.
const JOBS: u64 = 10_000;

/// The class that both sides have a function for.
#[job(class = "RubyCounts")]
async fn counts(n: u64, #[state] to: &Report) {
    to.send(json!(n)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_jobs_run_once_each_on_one_side_or_the_other() {
    let interop = Interop::start().await;
    let (mut sidekiq, _) = interop.sidekiq(&["default"]).await;
    let (server, mut reports) = interop.server();
    let running = Running::start(server.concurrency(2).only::<counts>());
    interop.identity("rust").await;

    let code = "Sidekiq::Client.push_bulk('class' => 'RubyCounts', 'args' => (a[0]...a[1]).map { |n| [n] }).size";
    let theirs = interop.ruby.eval(code, json!([0, JOBS / 2]));
    let ours = (JOBS / 2..JOBS).map(|n| (n,));
    let ours = async { interop.client.push_bulk("RubyCounts", ours).await };
    let (theirs, ours) = tokio::join!(theirs, ours);
    assert_eq!(theirs, json!(JOBS / 2));
    assert_eq!(ours.unwrap().len() as u64, JOBS / 2);

    let code = "[Sidekiq::Queue.new.size, Sidekiq::Workers.new.size]";
    interop
        .until_ruby(code, Value::Null, |left| *left == json!([0, 0]))
        .await;
    running.stop().await;
    sidekiq.stop().await;

    let counted = interop
        .ruby
        .get("Sidekiq.redis { |redis| redis.lrange('counted', 0, -1) }.map(&:to_i)")
        .await;
    let mut counted: Vec<u64> = serde_json::from_value(counted).unwrap();
    let by_ruby = counted.len();
    while let Some(n) = reports.try_next() {
        counted.push(n.as_u64().unwrap());
    }
    let by_us = counted.len() - by_ruby;
    assert!(by_ruby > 0 && by_us > 0, "{by_ruby} by Ruby, {by_us} by us");
    counted.sort_unstable();
    assert!(
        counted.iter().copied().eq(0..JOBS),
        "{by_ruby} by Ruby, {by_us} by us"
    );
    let stats = interop.api().stats().await.unwrap();
    assert!(stats.is_idle(), "{stats:?}");
    assert_eq!((stats.processed, stats.failed), (JOBS, 0));
    let code = "s = Sidekiq::Stats.new; [s.processed, s.failed, s.retry_size]";
    assert_eq!(interop.ruby.get(code).await, json!([JOBS, 0, 0]));
}
