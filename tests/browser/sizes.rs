//! Nothing stands over the edge of its place, however long numbers, names and messages are.

use sancho::store::{Effect, End, Order, Place, Stat, TimedSet};
use serde_json::json;

use crate::demo::apply;
use crate::site::Site;
use crate::webdriver::{Browser, Look, browser};

const PAGES: [&str; 12] = [
    "",
    "busy",
    "queues",
    "queue?name=mailers",
    "scheduled",
    "retries",
    "dead",
    "errors",
    "cron",
    "metrics",
    "metrics?class=WelcomeEmail",
    "search?q=class:Long",
];

const WIDTHS: [u32; 4] = [360, 768, 1280, 1920];

/// Puts twelve digits wherever a number stands.
const LENGTHEN: &str = "
    for (const e of document.querySelectorAll('.totals strong, td.num, .facts dd')) {
      if (e.childElementCount === 0 && /^[0-9.,]+$/.test(e.textContent.trim())) e.textContent = '123,456,789,012';
    }
    for (const e of document.querySelectorAll('.totals strong')) e.dataset.long = '';
    for (const e of document.querySelectorAll('nav .n')) e.textContent = '123G';";

/// What is wider than its place; tables scroll in theirs, and so does the navigation of a narrow window.
const OVER: &str = "
    const over = (e) => e.scrollWidth > e.clientWidth + 1;
    const places = '.totals, .totals a, .totals strong, .panel, .head, .title, .bar, .pager, .selection, .all, .facts dd, .concerns li, .notice, .column, main, footer';
    const told = (e) => `${e.tagName} ${e.className}: ${e.scrollWidth} in ${e.clientWidth}: ${e.textContent.trim().slice(0, 60)}`;
    const found = [document.documentElement, ...document.querySelectorAll(places)].filter((e) => over(e) && e.getClientRects().length > 0);
    const cut = [...document.querySelectorAll('.side nav a')].filter((e) => innerWidth > 900 && over(e));
    return [...found, ...cut].map(told)";

/// A site with names and messages that nobody should have.
async fn long_winded() -> Site {
    let site = Site::on_sqlite().await;
    let word = "Long".repeat(60);
    let job = json!({
        "class": word, "args": [word], "jid": "10c0", "queue": word, "tags": [word], "retry_count": 3,
        "error_class": word, "error_message": word.repeat(40), "error_backtrace": [word], "failed_at": 1_795_469_305_000_i64,
    });
    let payload = bytes::Bytes::from(job.to_string());
    let queue = Place::Queue {
        name: word.as_str().into(),
        end: End::Tail,
    };
    let at = site.api.now();
    let timed = |set| Place::Timed { set, at };
    let places = [timed(TimedSet::Retry), timed(TimedSet::Dead), queue];
    let mut effects: Vec<Effect> = places
        .map(|place| Effect::Put(payload.clone(), place))
        .into();
    effects.push(Effect::Count(Stat::Processed, 123_456_789_012));
    effects.push(Effect::Count(Stat::Failed, 98_765_432_109));
    apply(site.store(), effects).await;
    site
}

async fn over(browser: &Browser, url: &str, width: u32) -> Vec<String> {
    browser
        .look(Look {
            width,
            ..Look::WIDE
        })
        .await;
    let over = browser.run(OVER, json!([])).await;
    let over = over.as_array().unwrap().iter();
    over.map(|what| format!("{url} at {width}: {what}"))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_stands_over_its_edge() {
    let site = long_winded().await;
    let browser = browser().await;
    let mut found = Vec::new();
    let dead = site.api.dead().page(Order::Backward, 0, 1).await;
    let id = dead.unwrap().entries[0].id();
    let job = format!("job?in=dead&id={}", id.replace('|', "%7C"));
    for page in PAGES.into_iter().chain([&*job]) {
        browser.open(&site.page(page)).await;
        // As it is, and with twelve digits in each number. What stays current would put the numbers back.
        for script in ["", LENGTHEN] {
            for width in WIDTHS {
                browser.run(script, json!([])).await;
                found.extend(over(&browser, page, width).await);
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
