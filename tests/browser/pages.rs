//! Every page opens, at every width and in every colour, with scripts and without, and keeps nobody out.

use std::collections::BTreeMap;

use serde_json::{Value, json};

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

/// How the page came, what is wider than the window, and how many headings there are of the first level.
const SEEN: &str = "
    const [page] = performance.getEntriesByType('navigation');
    const wide = document.documentElement.scrollWidth > innerWidth;
    const out = [...document.querySelectorAll('body *')].filter((e) => wide && e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.scroll, .side'));
    return {status: page.responseStatus, wide: wide ? ['page', ...out.slice(0, 4).map((e) => e.outerHTML.slice(0, 90))] : [], headings: document.querySelectorAll('h1').length}";

/// Opens what links lead to, one page of each kind, and returns their URLs. Axe goes through all of them, in each of these looks.
pub(crate) async fn crawl(
    browser: &Browser,
    site: &Site,
    looks: &[Look],
    findings: &mut Findings,
) -> BTreeMap<String, String> {
    let mut known = BTreeMap::from([("/".to_owned(), site.page(""))]);
    let mut waiting = vec![site.page("")];
    while let Some(url) = waiting.pop() {
        findings.open(browser, &url, 200, looks).await;
        let links = browser
            .run("return [...document.querySelectorAll('a[href]:not([download])')].map((a) => a.href)", json!([]))
            .await;
        for link in links.as_array().unwrap() {
            let link = link.as_str().unwrap().split('#').next().unwrap();
            let kind = kind_of(site, link);
            if let std::collections::btree_map::Entry::Vacant(new) = known.entry(kind) {
                new.insert(link.to_owned());
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

/// What is wrong with pages: all of it is told at once.
#[derive(Debug, Default)]
pub(crate) struct Findings(String);

impl Findings {
    /// Opens a page, and looks at it in each of these looks. A page is the same document at every width and in every colour, so it is
    /// opened once.
    pub(crate) async fn open(&mut self, browser: &Browser, url: &str, status: u64, looks: &[Look]) {
        browser.open(url).await;
        for look in looks {
            browser.look(*look).await;
            self.look(browser, url, status).await;
            self.barriers(browser, url).await;
        }
    }

    /// The page that is open came with this status, fits into the window, and the browser has nothing to say against it.
    async fn look(&mut self, browser: &Browser, url: &str, status: u64) {
        let seen = browser.run(SEEN, json!([])).await;
        if seen["status"] != status {
            self.add(url, &json!([seen["status"], browser.text("body").await]));
        }
        if seen["wide"] != json!([]) {
            self.add(url, &json!({"wider than the window": seen["wide"]}));
        }
        if seen["headings"] != 1 {
            self.add(
                url,
                &json!({"headings of the first level": seen["headings"]}),
            );
        }
        for complaint in browser.complaints().await {
            // That a page is not there is said in the console as well.
            if status == 200 || !complaint.contains("Failed to load resource") {
                self.add(url, &json!(complaint));
            }
        }
    }

    /// Axe finds nothing serious on the page that is open.
    async fn barriers(&mut self, browser: &Browser, url: &str) {
        let barriers = browser.barriers().await;
        for barrier in barriers.as_array().into_iter().flatten() {
            self.add(url, barrier);
        }
        if !barriers.is_array() {
            self.add(url, &barriers);
        }
    }

    pub(crate) fn none(self) {
        assert!(self.0.is_empty(), "{}", self.0);
    }

    fn add(&mut self, url: &str, what: &Value) {
        self.0 += &format!("{url}: {what:#}\n");
    }
}

/// Opens all of it in these looks, and without scripts.
async fn every_page_opens(site: Site, looks: [Look; 2]) {
    let browser = browser().await;
    let mut findings = Findings::default();
    let pages = crawl(&browser, &site, &looks, &mut findings).await;
    for page in PAGES {
        let there = pages
            .keys()
            .any(|kind| kind == page || kind.starts_with(&format!("{page} ")));
        assert!(there, "no link leads to {page}: {:?}", pages.keys());
    }
    let others = OTHERS.map(|(path, status)| (site.page(path), status));
    for (url, status) in &others {
        findings.open(&browser, url, *status, &looks).await;
    }
    let all = pages.into_values().map(|url| (url, 200)).chain(others);
    let all: Vec<(String, u64)> = all.collect();
    // Without scripts, each page says the same.
    browser.look(Look::WIDE).await;
    browser.scripts(false).await;
    for (url, status) in &all {
        browser.open(url).await;
        findings.look(&browser, url, *status).await;
        let hidden = browser.run(
            "return document.querySelector('button.live').hidden",
            json!([]),
        );
        assert_eq!(hidden.await, true, "{url}: a button that does nothing");
    }
    findings.none();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_opens_on_redis() {
    every_page_opens(Site::on_redis().await, [Look::WIDE, Look::NARROW.dark()]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_opens_on_sqlite() {
    every_page_opens(Site::on_sqlite().await, [Look::NARROW, Look::WIDE.dark()]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_opens_on_an_empty_store() {
    let redis = sancho_tests::RedisServer::start(&[]);
    let site = Site::at(&redis.url()).await;
    let browser = browser().await;
    let mut findings = Findings::default();
    crawl(&browser, &site, &[Look::WIDE], &mut findings).await;
    findings.none();
}
