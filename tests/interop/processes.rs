//! Each side sees the other's processes, and tells them what to do.

use std::time::{Duration, Instant};

use sancho::{Context, Outcome, job};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::harness::{Interop, Report, Running, until};
use crate::log;
use crate::ruby::Process;

/// How soon a process of ours obeys, at the latest.
const OBEYS: Duration = Duration::from_secs(2);

/// Lets jobs end.
type Gate = Semaphore;

#[job(class = "RustWaits")]
async fn waits(n: u32, #[state] to: &Report, #[state] gate: &Gate) {
    to.send(json!(n)).unwrap();
    gate.acquire().await.unwrap().forget();
}

#[job(class = "RustYields")]
async fn yields(#[context] cx: &Context, n: u32, #[state] to: &Report) -> Outcome {
    to.send(json!(n)).unwrap();
    cx.stopping().await;
    to.send(json!("stops")).unwrap();
    Outcome::Interrupted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ruby_sees_our_process_and_what_it_runs() {
    let interop = Interop::start().await;
    let ruby = &interop.ruby;
    let (server, mut reports) = interop.server();
    let server = server.state(Gate::new(0)).concurrency(1);
    let running = Running::start(server.queues(["default", "low"]).only::<waits>());
    let before = ruby.get("Time.now.to_f").await.as_f64().unwrap();
    let jid = interop.client.push("RustWaits", (1,)).await.unwrap();
    assert_eq!(reports.next().await, 1);
    let waiting = interop.client.push("RustWaits", (2,)).await.unwrap();
    let identity = interop.identity("rust").await;

    let code = "Sidekiq::ProcessSet.new.map { |p|
        { 'identity' => p.identity, 'tag' => p.tag, 'queues' => p.queues, 'labels' => p.labels, 'stopping' => p.stopping?,
          'pid' => p['pid'], 'hostname' => p['hostname'], 'concurrency' => p['concurrency'], 'busy' => p['busy'] } }";
    let host = ruby.get("Socket.gethostname").await;
    let shown = json!([{
        "identity": identity, "tag": "rust", "queues": ["default", "low"], "labels": ["sancho"], "stopping": false,
        "pid": std::process::id(), "hostname": host, "concurrency": 1, "busy": 1,
    }]);
    interop
        .until_ruby(code, Value::Null, |processes| *processes == shown)
        .await;
    let code = "p = Sidekiq::ProcessSet.new.first; [p['started_at'], p['beat'], p['rss'], p['rtt_us'], Sidekiq::ProcessSet.new.total_concurrency]";
    let numbers = ruby.get(code).await;
    let number = |at: usize| numbers[at].as_f64().unwrap();
    assert!(
        number(0) > before - 60.0 && number(0) <= number(1),
        "{numbers}"
    );
    assert!(
        number(1) > before - 60.0 && number(1) < before + 60.0,
        "{numbers}"
    );
    assert!(number(2) > 1_000.0 && number(3) > 0.0, "{numbers}");
    assert_eq!(numbers[4], 1);

    let code = "Sidekiq::Workers.new.map { |process, _, work| [process, work['queue'], work['run_at'], work['payload']] }";
    let work = ruby.get(code).await;
    let work = &work[0];
    assert_eq!(work[0], json!(identity));
    assert_eq!(work[1], "default");
    assert!(work[2].as_f64().unwrap() > before - 2.0);
    assert_eq!(work[3]["jid"], jid.as_str());
    assert_eq!(work[3]["args"], json!([1]));
    assert_eq!(ruby.get("Sidekiq::WorkSet.new.size").await, 1);

    let code = "q = Sidekiq::Queue.new; [q.size, q.paused?, q.map { |job| [job.jid, job.klass, job.args] }, Sidekiq::Queue.all.map(&:name)]";
    let wanted = json!([
        1,
        false,
        [[waiting.as_str(), "RustWaits", [2]]],
        ["default"]
    ]);
    assert_eq!(ruby.get(code).await, wanted);
    let latency = ruby.get("Sidekiq::Queue.new.latency").await.as_f64();
    assert!((0.0..60.0).contains(&latency.unwrap()), "{latency:?}");

    let code = "s = Sidekiq::Stats.new
        [s.processed, s.failed, s.enqueued, s.scheduled_size, s.retry_size, s.dead_size, s.processes_size, s.workers_size, s.queues]";
    let wanted = json!([0, 0, 1, 0, 0, 0, 1, 1, { "default": 1 }]);
    assert_eq!(ruby.get(code).await, wanted);

    let code = "Sidekiq::Queue.new.find_job(a).delete";
    ruby.eval(code, json!(waiting.as_str())).await;
    assert_eq!(ruby.get("Sidekiq::Queue.new.size").await, 0);
    running.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ruby_counts_what_we_ran() {
    let interop = Interop::start().await;
    let (server, mut reports) = interop.server();
    let running = Running::start(server.state(Gate::new(9)).only::<waits>());
    interop.client.push("RustWaits", (1,)).await.unwrap();
    interop.client.push("RustWaits", ("none",)).await.unwrap();
    assert_eq!(reports.next().await, 1);
    let code = "s = Sidekiq::Stats.new; h = Sidekiq::Stats::History.new(1)
        [s.processed, s.failed, s.retry_size, h.processed.values.sum, h.failed.values.sum]";
    interop
        .until_ruby(code, Value::Null, |stats| *stats == json!([2, 1, 1, 2, 1]))
        .await;
    running.stop().await;
    let code = "[Sidekiq::ProcessSet.new.size, Sidekiq::Workers.new.size]";
    assert_eq!(interop.ruby.get(code).await, json!([0, 0]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_process_obeys_ruby() {
    log::begin();
    let interop = Interop::start().await;
    let (server, mut reports) = interop.server();
    let running = Running::start(server.concurrency(1).only::<yields>());
    let jid = interop.client.push("RustYields", (1,)).await.unwrap();
    assert_eq!(reports.next().await, 1);
    interop.client.push("RustYields", (2,)).await.unwrap();
    interop.identity("rust").await;
    let tell = async |order: &str| {
        let told = Instant::now();
        let code = format!("Sidekiq::ProcessSet.new.first.{order}");
        interop.ruby.get(&code).await;
        told
    };

    let told = tell("dump_threads").await;
    until("the job that runs is logged", || async {
        log::tells(&["running RustYields", jid.as_str()])
    })
    .await;
    assert!(told.elapsed() < OBEYS, "{:?}", told.elapsed());

    let told = tell("quiet!").await;
    let code = "Sidekiq::ProcessSet.new.map(&:stopping?)";
    interop
        .until_ruby(code, Value::Null, |quiet| *quiet == json!([true]))
        .await;
    assert!(told.elapsed() < OBEYS, "{:?}", told.elapsed());
    assert!(reports.is_silent());

    let told = tell("stop!").await;
    assert_eq!(reports.next().await, "stops");
    assert!(told.elapsed() < OBEYS, "{:?}", told.elapsed());
    running.ended().await;
    // The quiet process took nothing more, and what it was at went back before what waits.
    let code = "Sidekiq::Queue.new.map(&:args).reverse";
    assert_eq!(interop.ruby.get(code).await, json!([[1], [2]]));
    assert_eq!(interop.ruby.get("Sidekiq::ProcessSet.new.size").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rubys_process_obeys_us() {
    let interop = Interop::start().await;
    let api = interop.api();
    let (mut sidekiq, identity) = interop.sidekiq(&["low", "default"]).await;
    let jid = interop.client.push("RubyWaits", ()).await.unwrap();
    until("it says what it runs", || async {
        api.find_work(jid.as_str()).await.unwrap().is_some()
    })
    .await;
    let work = api.find_work(jid.as_str()).await.unwrap().unwrap();
    assert_eq!(work.process, identity);
    assert_eq!(work.queue, "default");
    assert_eq!(work.job.class(), "RubyWaits");
    let process = api.process(&identity).await.unwrap().unwrap();
    assert_eq!(process.tag, "ruby");
    assert_eq!(process.queues, ["low", "default"]);
    assert_eq!((process.concurrency, process.busy), (2, 1));
    assert_eq!(process.version, None);
    assert!(!process.quiet && process.started_at < process.beat);
    assert!(process.pid > 1 && process.rss_kb > 1_000);
    let stats = api.stats().await.unwrap();
    assert_eq!((stats.processes, stats.busy), (1, 1));

    api.quiet(&identity).await.unwrap();
    until("it is quiet", || async {
        api.process(&identity).await.unwrap().unwrap().quiet
    })
    .await;
    interop
        .ruby
        .get("Sidekiq.redis { |redis| redis.rpush('gate', 1) }")
        .await;
    api.stop(&identity).await.unwrap();
    sidekiq.ended().await;
    assert!(api.processes().await.unwrap().is_empty());
    assert_eq!(interop.ran(1).await[0]["job"]["jid"], jid.as_str());
    assert_eq!(api.stats().await.unwrap().processed, 1);
}

/// The description of a process runs out 60 s after its last beat, and processes are looked for once a minute. This test
/// deletes the description and the mark of the last look instead, which is what Redis does at that time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_side_forgets_the_others_dead_processes() {
    let interop = Interop::start().await;
    let members = "Sidekiq.redis { |redis| redis.smembers('processes') }";
    let run_out = "Sidekiq.redis { |redis| redis.del(a, 'process_cleanup') }";

    let (server, _reports) = interop.server();
    let running = Running::start(server.state(Gate::new(0)).only::<waits>());
    let ours = interop.identity("rust").await;
    running.kill().await;
    assert_eq!(interop.ruby.get(members).await, json!([ours]));
    interop.ruby.get("Sidekiq::ProcessSet.new.cleanup").await;
    assert_eq!(interop.ruby.get(members).await, json!([ours]));
    interop.ruby.eval(run_out, json!([ours])).await;
    assert_eq!(
        interop
            .ruby
            .get("Sidekiq::ProcessSet.new(false).cleanup")
            .await,
        1
    );
    assert_eq!(interop.ruby.get(members).await, json!([]));

    let dead = async || -> String {
        let (mut sidekiq, identity): (Process, String) = interop.sidekiq(&["default"]).await;
        sidekiq.kill().await;
        interop
            .ruby
            .eval(
                "Sidekiq.redis { |redis| redis.del('process_cleanup') }",
                Value::Null,
            )
            .await;
        identity
    };
    let theirs = dead().await;
    let api = interop.api();
    assert!(api.clean_up_processes().await.unwrap().is_empty());
    assert_eq!(api.processes().await.unwrap().len(), 1);
    interop.ruby.eval(run_out, json!(theirs)).await;
    assert_eq!(api.clean_up_processes().await.unwrap(), [theirs]);
    assert_eq!(interop.ruby.get(members).await, json!([]));

    let theirs = dead().await;
    interop.ruby.eval(run_out, json!(theirs)).await;
    let (server, _reports) = interop.server();
    let running = Running::start(server.state(Gate::new(0)).only::<waits>());
    let ours = interop.identity("rust").await;
    interop
        .until_ruby(members, Value::Null, |members| *members == json!([ours]))
        .await;
    running.stop().await;
}
