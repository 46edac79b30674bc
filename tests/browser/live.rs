//! Numbers change without a reload, pause when they are told to, and a store that goes away is told and comes back by itself.

use std::sync::Arc;

use sancho::store::{Effect, End, Place, Store};
use sancho_tests::RedisServer;
use serde_json::json;

use crate::demo::apply;
use crate::harness::until;
use crate::site::Site;
use crate::webdriver::{Browser, browser};

/// The number of waiting jobs beside its page's name.
const ENQUEUED: &str = "nav [data-n=enqueued]";

async fn push(store: &Arc<dyn Store>) {
    let place = Place::Queue {
        name: "default".into(),
        end: End::Tail,
    };
    let payload = r#"{"class":"Pushed","args":[],"jid":"0123456789abcdef01234567"}"#;
    apply(store, vec![Effect::Put(payload.into(), place)]).await;
}

/// Marks the page: a page that was loaded again has lost the mark.
async fn mark(browser: &Browser) {
    browser.run("window.marked = true", json!([])).await;
}

async fn is_marked(browser: &Browser) -> bool {
    browser
        .run("return window.marked === true", json!([]))
        .await
        == true
}

async fn numbers_change_until_they_are_paused(site: Site) {
    let browser = browser().await;
    browser.open(&site.page("queues")).await;
    mark(&browser).await;
    browser.has(ENQUEUED, "209").await;
    browser.has("button.live", "Live").await;
    push(site.store()).await;
    browser.has(ENQUEUED, "210").await;
    // The table as well.
    browser.shows("210 jobs wait").await;

    browser.press("button.live", "").await;
    browser.has("button.live", "Paused").await;
    // Another listener of the same page is told what this one is not.
    let listen = "window.told = []; new EventSource('/events').addEventListener('tick', (tick) => window.told.push(JSON.parse(tick.data).numbers.enqueued))";
    browser.run(listen, json!([])).await;
    push(site.store()).await;
    let told = || {
        browser.run(
            "return window.told.filter((n) => n === '211').length",
            json!([]),
        )
    };
    until("others are told", told, |ticks| ticks.as_u64() >= Some(2)).await;
    assert_eq!(browser.text(ENQUEUED).await, "210");
    browser.press("button.live", "").await;
    browser.has(ENQUEUED, "211").await;
    browser.has("button.live", "Live").await;
    assert!(is_marked(&browser).await, "the page was loaded again");
    let complaints = browser.complaints().await;
    assert!(complaints.is_empty(), "{complaints:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_change_until_they_are_paused_on_redis() {
    numbers_change_until_they_are_paused(Site::on_redis().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_change_until_they_are_paused_on_sqlite() {
    numbers_change_until_they_are_paused(Site::on_sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_away_is_told_and_comes_back() {
    let redis = RedisServer::start(&[]);
    let url = redis.url();
    let port = url.rsplit(':').next().unwrap().to_owned();
    let site = Site::at(&url).await;
    push(site.store()).await;
    let browser = browser().await;
    browser.open(&site.page("queues")).await;
    mark(&browser).await;
    browser.has("button.live", "Live").await;
    drop(redis);
    browser.has("button.live", "Store away").await;
    // It is still shown what was known, as such.
    browser.shows("default").await;
    browser.has("body.stale button.live", "Store away").await;
    let redis = RedisServer::start(&["--port", &port]);
    browser.has("button.live", "Live").await;
    browser.shows("No queues yet").await;
    browser.has("body.stale button.live", "").await;
    assert!(is_marked(&browser).await, "the page was loaded again");

    // A page that is opened meanwhile says so, and is there when the store is.
    drop(redis);
    browser.has("button.live", "Store away").await;
    browser.open(&site.page("retries")).await;
    browser.has("h1", "The store is away").await;
    assert_eq!(browser.barriers().await, json!([]));
    let _redis = RedisServer::start(&["--port", &port]);
    browser.has("h1", "Retries").await;
    browser.shows("Nothing to retry").await;
}
