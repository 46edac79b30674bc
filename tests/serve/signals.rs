//! What a running worker is told by signals.

use rustix::process::Signal;
use sancho::api::Api;

use crate::process::{Site, Worker};

#[tokio::test]
async fn a_second_interrupt_hands_back_what_runs_at_once() {
    let site = Site::new();
    let client = site.client().await;
    client.push("Holds", ()).await.unwrap();
    // Nobody would wait that long.
    let mut worker = Worker::start(site.worker(["-t", "3600"]));
    worker.line("holding").await;
    worker.send(Signal::INT);
    worker.line("stopping").await;
    worker.send(Signal::INT);
    assert!(worker.ended().await.success());
    let stats = Api::new(&client).stats().await.unwrap();
    assert_eq!((stats.enqueued, stats.processed), (1, 0));
}

#[tokio::test]
async fn a_quiet_worker_goes_on_with_what_runs_and_claims_nothing() {
    let site = Site::new();
    let client = site.client().await;
    client.push("Holds", ()).await.unwrap();
    let mut worker = Worker::start(site.worker(["-t", "0"]));
    worker.line("holding").await;
    worker.send(Signal::TSTP);
    worker.line("quiet").await;
    client.push("Says", ("nobody hears",)).await.unwrap();
    worker.send(Signal::TTIN);
    worker.line("1 of 10 slots are busy").await;
    let line = worker.line("running Holds for").await;
    assert!(
        line.contains("jid=") && line.contains("queue=default"),
        "{line}"
    );
    worker.stop().await;
    assert_eq!(Api::new(&client).stats().await.unwrap().enqueued, 2);
}

#[tokio::test]
async fn a_hangup_reads_the_config_file_anew() {
    let site = Site::new();
    let client = site.client().await;
    site.write(
        "config/sidekiq.yml",
        "queues: [a]\ncapsules: {other: {queues: [c]}}\n",
    );
    let mut worker = Worker::serving(site.worker([""; 0])).await;
    let says = |queue: &'static str, text: &'static str| {
        let job = client.job("Says").queue(queue);
        async move { job.perform_async((text,)).await.unwrap() }
    };
    says("b", "from b").await;
    says("a", "from a").await;
    worker.line("from a").await;

    let changed = "queues: [b]\nconcurrency: 3\nlog_level: debug\ntimeout: 1\ncapsules: {other: {queues: [d]}, new: {}}\n";
    site.write("config/sidekiq.yml", changed);
    worker.send(Signal::HUP);
    worker.line("take a restart").await;
    worker.line("runs 3 jobs at once").await;
    worker.line("the capsule new is new").await;
    worker.line("the settings were read anew").await;
    worker.line("from b").await;
    says("d", "from d").await;
    worker.line("done").await;

    site.write("config/sidekiq.yml", "queues: 5\n");
    worker.send(Signal::HUP);
    worker.line("the settings stay as they were").await;
    says("b", "still here").await;
    worker.line("still here").await;
    worker.stop().await;
}

#[tokio::test]
async fn a_worker_that_is_stopped_while_it_connects_ends_in_order() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let site = Site::new();
    let mut command = site.worker([""; 0]);
    let url = format!("redis://{}", silent.local_addr().unwrap());
    command.env("REDIS_URL", format!("{url}?connect_timeout=10s"));
    let mut worker = Worker::start(command);
    let (_connection, _) = silent.accept().await.unwrap();
    worker.send(Signal::TERM);
    worker.line("stopped before it was connected").await;
    assert!(worker.ended().await.success());
}
