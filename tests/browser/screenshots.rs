//! Pictures: those of the documentation are made again by `cargo test -p sancho-tests --test browser -- --ignored pictures`, and all pages, to be
//! looked at, by `SANCHO_PICTURES=/tmp/pictures cargo test -p sancho-tests --test browser -- --ignored pictured`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sancho::api::{Api, JobSet};
use sancho::cron::CronEntry;
use sancho::job::Timestamp;
use sancho::store::memory::MemoryStore;
use sancho::store::{Order, Store, TestClock};
use sancho::testing;
use sancho_web::Options;

use crate::demo::Demo;
use crate::site::Site;
use crate::webdriver::{Browser, Look, browser};

/// A day, in µs.
const DAY: i64 = 86_400_000_000;

/// The most that a picture may take, in bytes: it is kept in the repository.
const MOST: usize = 150_000;

/// What a busy shop has, with half a year behind it.
async fn shop() -> Site {
    let shift = Arc::new(AtomicI64::new(0));
    let shown = Arc::clone(&shift);
    let clock: TestClock = Arc::new(move || {
        Timestamp::from_micros(
            Timestamp::from_wall_clock().as_micros() + shown.load(Ordering::Relaxed),
        )
    });
    let store: Arc<dyn Store> = Arc::new(MemoryStore::with_clock(clock));
    let set_clock = |day: u32| shift.store(-i64::from(day) * DAY, Ordering::Relaxed);
    Demo::history(&store, 180, set_clock).await;
    Demo::large(&store).fill().await;
    let client = testing::client(Arc::clone(&store));
    let options = Options::new()
        .environment("production")
        .store_name("redis://10.0.3.7:6379");
    let site = Site::over(&client, Api::new(&client), options).await;
    let cron = site.api.cron();
    for (name, expression, class, about) in [
        (
            "nightly_report",
            "30 2 * * mon-fri Europe/Berlin",
            "AnalyticsRollup",
            "What the night brought",
        ),
        ("sync_stock", "*/10 * * * *", "SyncInventory", ""),
        (
            "digest",
            "0 7 * * *",
            "UserMailer#digest",
            "For those who asked for it",
        ),
    ] {
        let entry = CronEntry::new(name, expression, class).unwrap();
        cron.add(entry.description(about)).await.unwrap();
    }
    cron.disable("digest").await.unwrap();
    cron.run_now("sync_stock").await.unwrap();
    site
}

async fn save(browser: &Browser, path: &Path) -> usize {
    let picture = STANDARD.decode(browser.picture().await).unwrap();
    std::fs::write(path, &picture).unwrap();
    picture.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it writes docs/"]
async fn pictures_are_made() {
    let site = shop().await;
    let browser = browser().await;
    let lower = Look {
        height: 660,
        ..Look::WIDE.dark()
    };
    let pictures = [
        ("", "dashboard.png", Look::WIDE),
        ("", "dashboard-dark.png", Look::WIDE.dark()),
        ("retries", "retries-dark.png", lower),
    ];
    for (page, file, look) in pictures {
        browser.look(look).await;
        browser.open(&site.page(page)).await;
        browser.has("button.live", "Live").await;
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../docs")
            .join(file);
        let size = save(&browser, &path).await;
        assert!(size < MOST, "{file} takes {size} bytes");
    }
}

/// Every page in every look, for whoever changes how they look: in the folder `SANCHO_PICTURES`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it writes pictures that somebody is to look at"]
async fn all_pages_are_pictured() {
    let folder = std::env::var("SANCHO_PICTURES").expect("SANCHO_PICTURES names a folder");
    std::fs::create_dir_all(&folder).unwrap();
    let site = shop().await;
    let page = async |set: JobSet, order| set.page(order, 0, 1).await.unwrap().entries[0].id();
    let retry = page(site.api.retries(), Order::Forward).await;
    let empty = testing::client(Arc::new(MemoryStore::new()));
    let empty = Site::over(&empty, Api::new(&empty), Options::new()).await;
    let job = format!("job?in=retry&id={}", retry.replace('|', "%7C"));
    let pages = [
        ("dashboard", site.page("")),
        ("busy", site.page("busy")),
        ("queues", site.page("queues")),
        ("queue", site.page("queue?name=mailers&did=delete&n=3")),
        ("scheduled", site.page("scheduled")),
        ("retries", site.page("retries")),
        ("dead", site.page("dead?q=card")),
        ("errors", site.page("errors")),
        ("cron", site.page("cron")),
        ("cron-entry", site.page("cron?name=sync_stock")),
        ("metrics", site.page("metrics")),
        ("metrics-class", site.page("metrics?class=ChargeCard")),
        ("search", site.page("search")),
        ("search-found", site.page("search?q=class:ChargeCard")),
        ("job", site.page(&job)),
        ("not-found", site.page("find?jid=nobody")),
        ("missing", site.page("no-such-page")),
        ("empty-dashboard", empty.page("")),
        ("empty-busy", empty.page("busy")),
        ("empty-retries", empty.page("retries")),
    ];
    let browser = browser().await;
    for (name, look) in [
        ("wide", Look::WIDE),
        ("wide-dark", Look::WIDE.dark()),
        ("narrow", Look::NARROW),
        ("narrow-dark", Look::NARROW.dark()),
    ] {
        browser.look(look).await;
        for (page, url) in &pages {
            browser.open(url).await;
            let path = Path::new(&folder).join(format!("{page}-{name}.png"));
            save(&browser, &path).await;
        }
    }
}
