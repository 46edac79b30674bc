//! A job of ours that iterates, as Ruby sees it and ends it: by the hash that Sidekiq 7.3 and later keep of theirs.

use sancho::iterate::{self, Source};
use sancho::{Context, job};
use serde_json::{Value, json};

use crate::harness::{Interop, Report, Running};

/// Waits at each item until the process stops.
#[job(class = "RustIterates", iterate = numbers, on_cancel = cancelled)]
async fn iterates(n: u64, last: u64, #[state] to: &Report, #[context] cx: &Context) {
    cx.progress(n, last).await;
    to.send(json!(n)).unwrap();
    cx.stopping().await;
}

fn numbers(
    last: u64,
    _: &Report,
    _: &Context,
    cursor: Option<u64>,
) -> impl Source<Item = u64, Cursor = u64> {
    iterate::range(1..last, cursor)
}

async fn cancelled(_: u64, to: &Report, _: &Context) {
    to.send(json!("cancelled")).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ruby_reads_how_far_a_job_has_come_and_cancels_it() {
    let interop = Interop::start().await;
    let push = "Sidekiq::Client.push('class' => 'RustIterates', 'args' => [9])";
    let jid = interop.ruby.get(push).await;
    let (server, mut reports) = interop.server();
    let running = Running::start(server.only::<iterates>());
    assert_eq!(reports.next().await, json!(1));
    running.stop().await;

    // As Sidekiq 8 reads it: whole executions, a cursor in JSON, float seconds.
    let read = "Sidekiq.redis { |redis| redis.hgetall(\"it-#{a}\") }.then { |it|
        [Integer(it['ex']), JSON.parse(it['c']), Float(it['rt']) >= 0, it.key?('cancelled')] }";
    let state = interop.ruby.eval(read, jid.clone()).await;
    assert_eq!(state, json!([1, 2, true, false]));
    let ttl = "Sidekiq.redis { |redis| redis.ttl(\"it-#{a}\") } / 86_400.0";
    let days = interop.ruby.eval(ttl, jid.clone()).await;
    assert!((29.9..=30.0).contains(&days.as_f64().unwrap()), "{days}");

    // As its `cancel!` does.
    let cancel = "Sidekiq.redis { |redis| redis.hsetnx(\"it-#{a}\", 'cancelled', Time.now.to_i) }";
    interop.ruby.eval(cancel, jid.clone()).await;
    let (server, mut reports) = interop.server();
    let running = Running::start(server.only::<iterates>());
    assert_eq!(reports.next().await, json!("cancelled"));
    let gone = "Sidekiq.redis { |redis| redis.exists?(\"it-#{a}\") }";
    interop
        .until_ruby(gone, jid, |there| *there == json!(false))
        .await;
    running.stop().await;
    let size = interop.ruby.get("Sidekiq::Queue.new.size").await;
    assert_eq!((size, reports.is_silent()), (Value::from(0), true));
}
