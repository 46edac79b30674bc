//! A whole server in a test.

use std::time::Duration;

use sancho::cron::CronEntry;
use sancho::runtime;
use sancho::testing::{self, Server, TestJobs as _, assert_enqueued};
use sancho::{Context, job};

use crate::draining::Ledger;

#[job(queue = "served", retry = 1)]
async fn served(n: u32, #[state] ledger: &Ledger, #[context] cx: &Context) -> Result<(), String> {
    ledger.write(format!("{n} {}", cx.attempt()));
    match n {
        0 => Err("zero".into()),
        1 => Ok(()),
        n => served::perform_async(n - 1)
            .await
            .map(|_| ())
            .map_err(|error| error.to_string()),
    }
}

#[job(queue = "served")]
async fn waits_for_the_stop(#[state] ledger: &Ledger, #[context] cx: &Context) {
    ledger.write("waits");
    cx.stopping().await;
    ledger.write("stops");
}

fn start() -> (Server, Ledger) {
    let ledger = Ledger::default();
    let server = runtime::Server::builder()
        .only::<served>()
        .only::<waits_for_the_stop>()
        .queues(["served"])
        .state(ledger.clone());
    (Server::start(server).unwrap(), ledger)
}

async fn jobs_of_jobs_run(server: Server, ledger: Ledger) {
    served::perform_async(3).await.unwrap();
    tokio::spawn(served::perform_async(1))
        .await
        .unwrap()
        .unwrap();
    server.until_idle().await;
    let mut lines = ledger.lines();
    lines.sort();
    assert_eq!(lines, ["1 1", "1 1", "2 1", "3 1"]);
    assert_eq!(server.api().stats().await.unwrap().processed, 4);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_runs_all_on_one_thread() {
    let (server, ledger) = start();
    jobs_of_jobs_run(server, ledger).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_server_runs_all_on_several_threads() {
    let (server, ledger) = start();
    jobs_of_jobs_run(server, ledger).await;
}

#[tokio::test]
async fn scheduled_jobs_and_retries_run_as_the_clock_moves() {
    let (server, ledger) = start();
    let day = Duration::from_secs(24 * 60 * 60);
    served::perform_in(day, 1).await.unwrap();
    assert_enqueued!(served(1), in = "1d", queue = "served");
    served::perform_async(0).await.unwrap();
    server.until_idle().await;
    assert_eq!(ledger.lines(), ["0 1"]);
    assert_eq!(server.retries()[0].error_message().as_deref(), Some("zero"));

    server.advance(Duration::from_secs(60));
    server.until_idle().await;
    assert_eq!(ledger.lines(), ["0 1", "0 2"]);
    assert_eq!((server.retries().len(), server.dead().len()), (0, 1));

    server.advance(day);
    server.until_idle().await;
    assert_eq!(ledger.lines(), ["0 1", "0 2", "1 1"]);
    served::perform_in(day, 1).await.unwrap();
    assert_eq!(
        served::jobs()[0].at(),
        Some(server.clock().now().after(day).into())
    );
    server.stop().await.unwrap();
}

#[job(queue = "served")]
async fn comes_by_itself(#[state] ledger: &Ledger) {
    ledger.write("tick");
}

#[tokio::test]
async fn ticks_of_the_cron_are_waited_for() {
    let ledger = Ledger::default();
    let hourly = CronEntry::new("hourly", "0 * * * *", "ComesByItself").unwrap();
    let server = runtime::Server::builder()
        .only::<comes_by_itself>()
        .queues(["served"])
        .state(ledger.clone())
        .cron(hourly);
    let server = Server::start(server).unwrap();
    let hour = Duration::from_secs(60 * 60);
    // Before the server has had time to begin, as well.
    for ticks in 1..=5 {
        server.advance(hour);
        server.until_idle().await;
        assert_eq!(ledger.lines().len(), ticks);
    }
    // Of ticks that were jumped over, the last one is made up for.
    server.advance(hour * 24);
    server.until_idle().await;
    assert_eq!(ledger.lines().len(), 6);
    let cron = server.api().cron();
    cron.disable("hourly").await.unwrap();
    server.advance(hour);
    server.until_idle().await;
    assert_eq!(ledger.lines().len(), 6);
    // A quiet server makes none, so there is nothing to wait for.
    cron.enable("hourly").await.unwrap();
    server.handle().quiet();
    server.advance(hour);
    server.until_idle().await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn stopping_tells_the_jobs_and_waits_for_them() {
    let (server, ledger) = start();
    waits_for_the_stop::perform_async().await.unwrap();
    while ledger.lines().is_empty() {
        tokio::task::yield_now().await;
    }
    server.stop().await.unwrap();
    assert_eq!(ledger.lines(), ["waits", "stops"]);
}

#[tokio::test]
#[should_panic(expected = "wait for it with `server.until_idle()`")]
async fn draining_beside_a_server_says_what_to_do() {
    let (_server, _ledger) = start();
    let _ = served::drain().await;
}

#[tokio::test]
async fn a_server_that_cannot_start_says_why() {
    let error = Server::start(runtime::Server::builder().only::<served>()).unwrap_err();
    assert!(error.to_string().contains("needs `#[state]`"), "{error}");
}

#[tokio::test]
async fn the_fake_before_a_server_is_back_after_it() {
    let fake = testing::fake();
    let (server, _ledger) = start();
    served::perform_async(1).await.unwrap();
    server.until_idle().await;
    server.stop().await.unwrap();
    assert!(fake.jobs().is_empty());
    served::perform_async(1).await.unwrap();
    assert_eq!(fake.jobs().len(), 1);
}
