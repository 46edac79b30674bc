//! Every page opens, at every width and in every colour, with scripts and without, and keeps nobody out.

use std::collections::BTreeMap;

use serde_json::json;

use crate::site::Site;
use crate::webdriver::{Browser, Look, browser};

/// Pages that links must lead to.
const PAGES: [&str; 11] = [
    "/",
    "/busy",
    "/queues",
    "/queue name",
    "/scheduled",
    "/retries",
    "/dead",
    "/errors",
    "/metrics",
    "/metrics class",
    "/job id in=retry",
];

/// Pages that are no link's, and the answer that they are to give.
const OTHERS: [(&str, u64); 8] = [
    ("retries?q=declined", 200),
    ("retries?q=nothing-has-this", 200),
    ("dead?from=100000", 200),
    ("queue?name=nobody-has-this", 200),
    ("find?jid=nobody-has-this", 200),
    ("find", 422),
    ("sweep?id=77", 404),
    ("no-such-page", 404),
];

/// Opens what links lead to, one page of each kind, and returns their URLs.
pub(crate) async fn crawl(browser: &Browser, site: &Site) -> BTreeMap<String, String> {
    let mut known = BTreeMap::from([("/".to_owned(), site.page(""))]);
    let mut waiting = vec![site.page("")];
    while let Some(url) = waiting.pop() {
        browser.open(&url).await;
        is_well(browser, &url, 200).await;
        let links = browser
            .run("return [...document.querySelectorAll('a[href]:not([download])')].map((a) => a.href)", json!([]))
            .await;
        for link in links.as_array().unwrap() {
            let link = link.as_str().unwrap();
            let kind = kind_of(site, link);
            if !known.contains_key(&kind) {
                known.insert(kind, link.to_owned());
                waiting.push(link.to_owned());
            }
        }
    }
    known
}

/// What pages of one kind have in common: the path, the names in the query, and the place of a job.
fn kind_of(site: &Site, link: &str) -> String {
    let path = link.strip_prefix(&site.url);
    let path = path.unwrap_or_else(|| panic!("{link} leads away"));
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut names: Vec<&str> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            if pair.starts_with("in=") {
                pair
            } else {
                pair.split('=').next().unwrap()
            }
        })
        .collect();
    names.sort_unstable();
    let kind = format!("{path} {}", names.join(" "));
    kind.trim_end().to_owned()
}

/// The page that is open came with this status, fits into the window, and the browser has nothing to say against it.
pub(crate) async fn is_well(browser: &Browser, url: &str, status: u64) {
    let seen = browser
        .run(
            "const [page] = performance.getEntriesByType('navigation');
             return [page.responseStatus, document.documentElement.scrollWidth - innerWidth, document.querySelectorAll('h1').length]",
            json!([]),
        )
        .await;
    assert_eq!(seen[0], status, "{url}: {}", browser.text("body").await);
    assert!(
        seen[1].as_i64().unwrap() <= 0,
        "{url} is wider than the window by {}",
        seen[1]
    );
    assert_eq!(seen[2], 1, "{url}: headings of the first level");
    let complaints = browser.complaints().await;
    // That a page is not there is said in the console as well.
    let complaints: Vec<_> = complaints
        .iter()
        .filter(|text| status == 200 || !text.contains("Failed to load resource"))
        .collect();
    assert!(complaints.is_empty(), "{url}: {complaints:?}");
}

pub(crate) async fn has_no_barriers(browser: &Browser, url: &str, look: Look) {
    let barriers = browser.barriers().await;
    assert_eq!(barriers, json!([]), "{url} {look:?}: {barriers:#}");
}

/// Opens all of it in every look; axe goes through all pages in these looks.
async fn every_page_opens(site: Site, thorough: &[Look]) {
    let browser = browser().await;
    let pages = crawl(&browser, &site).await;
    for page in PAGES {
        let there = pages
            .keys()
            .any(|kind| kind == page || kind.starts_with(&format!("{page} ")));
        assert!(there, "no link leads to {page}: {:?}", pages.keys());
    }
    let others = OTHERS.map(|(path, status)| (site.page(path), status));
    let all = pages.into_values().map(|url| (url, 200)).chain(others);
    let all: Vec<(String, u64)> = all.collect();
    for look in Look::ALL {
        browser.look(look).await;
        for (url, status) in &all {
            browser.open(url).await;
            is_well(&browser, url, *status).await;
            if thorough.contains(&look) {
                has_no_barriers(&browser, url, look).await;
            }
        }
    }
    // Without scripts, each page says the same.
    browser.look(Look::WIDE).await;
    browser.scripts(false).await;
    for (url, status) in &all {
        browser.open(url).await;
        is_well(&browser, url, *status).await;
        let hidden = browser.run(
            "return document.querySelector('button.live').hidden",
            json!([]),
        );
        assert_eq!(hidden.await, true, "{url}: a button that does nothing");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_opens_on_redis() {
    every_page_opens(Site::on_redis().await, &Look::ALL[..2]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_opens_on_sqlite() {
    every_page_opens(Site::on_sqlite().await, &Look::ALL[2..]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_opens_on_an_empty_store() {
    let redis = sancho_tests::RedisServer::start(&[]);
    let site = Site::at(&redis.url()).await;
    let browser = browser().await;
    let pages = crawl(&browser, &site).await;
    for url in pages.values() {
        browser.open(url).await;
        has_no_barriers(&browser, url, Look::WIDE).await;
    }
}
