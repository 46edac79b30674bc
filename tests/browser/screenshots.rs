//! The pictures of the documentation, made again: `cargo test -p sancho-tests --test browser -- --ignored pictures`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sancho::api::Api;
use sancho::job::Timestamp;
use sancho::store::memory::MemoryStore;
use sancho::store::{Store, TestClock};
use sancho::testing;
use sancho_web::Options;

use crate::demo::Demo;
use crate::site::Site;
use crate::webdriver::{Look, browser};

/// A day, in µs.
const DAY: i64 = 86_400_000_000;

/// The most that a picture may take, in bytes: it is kept in the repository.
const MOST: usize = 150_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it writes docs/"]
async fn pictures_are_made() {
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
        let picture = STANDARD.decode(browser.picture().await).unwrap();
        assert!(picture.len() < MOST, "{file} takes {} bytes", picture.len());
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../docs")
            .join(file);
        std::fs::write(path, picture).unwrap();
    }
}
