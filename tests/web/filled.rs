//! A site with something on each page, the same each time.

use std::time::Duration;

use sancho::cron::CronEntry;
use sancho::store::{Effect, Members, Stat, TimedSet, keys};
use sancho_tests::{Clock, Kind};
use sancho_web::Options;

use crate::browser::{Site, failed};

/// The pages, and what they are called.
pub(crate) const PAGES: [(&str, &str); 22] = [
    ("dashboard", "/"),
    ("busy", "/busy"),
    ("queues", "/queues"),
    ("queue", "/queue?name=mailers"),
    ("scheduled", "/scheduled"),
    ("retries", "/retries"),
    ("retries-filtered", "/retries?q=declined"),
    ("dead", "/dead"),
    ("errors", "/errors"),
    ("cron", "/cron"),
    ("cron-entry", "/cron?name=nightly-9"),
    ("metrics", "/metrics"),
    ("metrics-class", "/metrics?class=Job%3A%3A1"),
    ("search", "/search"),
    ("search-found", "/search?q=Job"),
    ("search-refused", "/search?q=color%3Ared"),
    ("job-waiting", "/job?in=queue&name=mailers&jid=a01"),
    ("job-running", "/job?in=busy&jid=b01"),
    ("job-retry", "/job?in=retry&id=1795514460.0%7Cr01"),
    ("job-dead", "/job?in=dead&id=1795514405.0%7Cd01"),
    ("not-found", "/find?jid=nobody-1"),
    ("missing", "/no-such-page-1"),
];

/// Pages of a store that has nothing.
pub(crate) const EMPTY: [(&str, &str); 9] = [
    ("dashboard", "/"),
    ("busy", "/busy"),
    ("queues", "/queues"),
    ("scheduled", "/scheduled"),
    ("retries", "/retries"),
    ("dead", "/dead"),
    ("errors", "/errors"),
    ("cron", "/cron"),
    ("metrics", "/metrics"),
];

/// On a store in memory, at 2026-11-24, 10:00:00 UTC.
pub(crate) async fn empty() -> Site {
    let options = Options::new()
        .trust_every_request()
        .store_name("memory:1")
        .environment("staging-1");
    Site::at(Kind::Memory, Clock::new(), options).await
}

/// The same, with something of everything.
pub(crate) async fn filled() -> Site {
    let site = empty().await;
    let fixture = &site.fixture;
    fixture
        .apply(vec![
            Effect::Join(Members::Paused, "low-1".into()),
            Effect::Count(Stat::Processed, 123_456_789_012),
            Effect::Count(Stat::Failed, 67),
        ])
        .await;
    for n in 1..=3 {
        let job = format!(
            r#"{{"class":"Job::{n}","args":[{n},{{"to":"a1@b"}}],"jid":"a{n:02}","queue":"mailers","tags":["vip-1"],"created_at":1795514390000,"enqueued_at":1795514391000}}"#
        );
        site.push("mailers", job).await;
    }
    site.push(
        "low-1",
        r#"{"class":"Job::4","args":[],"jid":"a04","queue":"low-1"}"#,
    )
    .await;
    let running =
        r#"{"class":"Job::5","args":[42],"jid":"b01","queue":"mailers","tags":["vip-1"]}"#;
    site.process("vm:7:abc", "\"mailers\"", false, Some(running))
        .await;
    site.put(TimedSet::Schedule, 90, failed("s01", "Job::1", ""))
        .await;
    for (jid, message) in [
        ("r01", "declined for order 17"),
        ("r02", "declined for order 18"),
    ] {
        site.put(TimedSet::Retry, 60, failed(jid, "Job::2", message))
            .await;
    }
    site.put(
        TimedSet::Dead,
        5,
        failed("d01", "Job::3", "timed-out after 3000 ms"),
    )
    .await;
    let nightly = CronEntry::new("nightly-9", "30 2 * * mon-fri Europe/Berlin", "Job::6")
        .and_then(|entry| entry.args(("full-1", 7)))
        .and_then(|entry| entry.queue("low-1"))
        .unwrap()
        .description("What night 9 brought");
    site.api().cron().add(nightly).await.unwrap();
    let minute: chrono::DateTime<chrono::Utc> = site.now().into();
    let fields = [("Job::1|p", 9_u64), ("Job::1|f", 2), ("Job::1|ms", 280)];
    fixture
        .apply(vec![
            Effect::AddFields {
                key: keys::minute(minute),
                fields: fields.map(|(name, n)| (name.into(), n)).into(),
                ttl: Duration::from_secs(3_600),
            },
            Effect::Observe {
                key: keys::histogram("Job::1", minute),
                counts: vec![(2, 7)],
                ttl: Duration::from_secs(3_600),
            },
        ])
        .await;
    site.api().deploys().mark("v42").await.unwrap();
    site
}
