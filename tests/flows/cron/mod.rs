//! The cron: entries that come by themselves, each tick once.

mod declared;
mod entries;
mod times;

use std::time::Duration;

use bytes::Bytes;
use sancho::api::{Acted, CronRun};
use sancho::cron::CronEntry;
use sancho::job;
use sancho::job::Timestamp;
use sancho::runtime::ServerBuilder;
use sancho::store::{Effect, keys};
use sancho_tests::Clock;

use crate::harness::{Flow, Report, Reports};

/// A time at which nothing that is used here comes: 12:00:30 UTC.
fn half_past_noon() -> Clock {
    Clock::at(Timestamp::from_millis(1_795_521_630_000))
}

const MINUTE: Duration = Duration::from_secs(60);

#[job(queue = "clock", cron = "* * * * *", retry = 3)]
async fn ticks(#[state] report: &Report, word: Option<String>) {
    let _ = report.send(word.unwrap_or_else(|| "plain".into()));
}

#[job(cron = "0 3 * * *", tz = "Europe/Nowhere")]
async fn lives_nowhere() {}

#[job]
async fn lives_here() {}

#[job]
async fn says(#[state] report: &Report, word: String) {
    let _ = report.send(word);
}

mod double {
    /// Of the same name as another, so it is called by its class.
    #[sancho::job(class = "Double", cron = "@yearly")]
    pub(super) async fn ticks() {}
}

/// A server that makes ticks and runs nothing: it serves no queue that is used.
fn clockwork(flow: &Flow) -> (ServerBuilder, Reports) {
    let (builder, reports) = flow.server();
    let builder = builder.queues(["nothing"]).only::<says>();
    (builder, reports)
}

/// An entry that pushes `says` into a queue that nobody serves.
fn entry(name: &str, cron: &str) -> CronEntry {
    CronEntry::new(name, cron, "Says")
        .unwrap()
        .args((name,))
        .unwrap()
        .queue("pushed")
        .unwrap()
}

/// Wakes those who sleep until a time that the test clock has jumped over.
async fn wake(flow: &Flow) {
    let item = Bytes::from(flow.now().as_micros().to_string());
    flow.apply(vec![Effect::Append {
        key: keys::CRON_CHANGES.into(),
        item,
        ttl: MINUTE,
    }])
    .await;
}

/// Waits until so many jobs were pushed, and gives the ticks of an entry's history, the newest first.
async fn until_pushed(flow: &Flow, count: usize) -> Vec<String> {
    flow.until(&format!("{count} jobs are pushed"), || async {
        flow.queue("pushed").await.len() >= count
    })
    .await;
    flow.queue("pushed").await
}

async fn history(flow: &Flow, name: &str) -> Vec<CronRun> {
    flow.api().cron().history(name).await.unwrap()
}

/// Waits until a server knows of an entry: it has looked since the last change.
async fn until_known(flow: &Flow, name: &str) {
    flow.until(&format!("{name} is known"), || async {
        flow.api().cron().get(name).await.unwrap().is_some()
    })
    .await;
}

/// Lets time pass, and lets everybody see it.
async fn pass(flow: &Flow, time: Duration) {
    flow.pass(time);
    wake(flow).await;
}

/// Makes sure that everything that was due before is made: an entry that is made after it is seen.
async fn settle(flow: &Flow, marker: &str) {
    flow.api()
        .cron()
        .add(entry(marker, "* * * * * *"))
        .await
        .unwrap();
    pass(flow, Duration::from_secs(1)).await;
    flow.until("the marker has come", || async {
        !history(flow, marker).await.is_empty()
    })
    .await;
    assert_eq!(flow.api().cron().remove(marker).await.unwrap(), Acted::Done);
}
