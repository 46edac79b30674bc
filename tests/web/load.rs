//! Pages of places that are long: none goes through all of it.

use std::time::{Duration, Instant};

use bytes::Bytes;
use sancho::job::Timestamp;
use sancho::store::{Effect, End, Place, TimedSet};

use crate::browser::{Site, on_every_store};

/// How many jobs wait.
const WAITING: u32 = 100_000;

/// How many are to be tried again.
const RETRIES: u32 = 10_000;

/// How many are put into the store at a time.
const PART: u32 = 1_000;

/// The longest that a page may take, on a machine that does much else. `sancho-bench -- web` says what it takes on one that does not.
const MOST: Duration = Duration::from_secs(2);

const PAGES: [&str; 16] = [
    "/",
    "/busy",
    "/queues",
    "/queue?name=long",
    "/queue?name=long&order=last",
    "/queue?name=long&from=50000",
    "/scheduled",
    "/retries",
    "/retries?from=5000",
    "/retries?q=order%209999",
    "/retries?q=nothing-has-this",
    "/dead",
    "/errors",
    "/metrics",
    "/find?jid=nobody-has-this",
    "/stats",
];

async fn pages_of_long_places_come_at_once(site: Site) {
    for part in (0..WAITING).step_by(PART as usize) {
        let put = |n: u32| {
            let payload = format!(
                r#"{{"class":"WelcomeEmail","args":[{n},"ada@example.com"],"jid":"{n:024x}","queue":"long","retry":true}}"#
            );
            let place = Place::Queue {
                name: "long".into(),
                end: End::Tail,
            };
            Effect::Put(payload.into(), place)
        };
        site.fixture
            .apply((part..part + PART).map(put).collect())
            .await;
    }
    let now = site.now();
    for part in (0..RETRIES).step_by(PART as usize) {
        let put = |n: u32| {
            let at = now.after(Duration::from_secs(600 + u64::from(n)));
            Effect::Put(
                failed(n, now),
                Place::Timed {
                    set: TimedSet::Retry,
                    at,
                },
            )
        };
        site.fixture
            .apply((part..part + PART).map(put).collect())
            .await;
    }
    for page in PAGES {
        let begun = Instant::now();
        let answer = site.get(page).await;
        let took = begun.elapsed();
        answer.is(200);
        println!("{took:>10.1?}  {page}");
        assert!(took < MOST, "{page} took {took:?}");
    }
    site.get("/queue?name=long").await.shows("100,000");
    site.get("/retries").await.shows("10,000");
}

fn failed(n: u32, now: Timestamp) -> Bytes {
    let at = now.as_millis();
    let payload = format!(
        r#"{{"class":"ChargeCard","args":[{n}],"jid":"f{n:023x}","queue":"default","retry":true,"created_at":{at},"failed_at":{at},"retry_count":2,"error_class":"app::CardError","error_message":"order {n} was declined"}}"#
    );
    payload.into()
}

on_every_store! {
    pages_of_long_places_come_at_once
}
