//! Every action does what its button says, and the store shows it: with scripts, where questions are asked on the spot, and without.

use std::time::Duration;

use sancho::cron::CronEntry;
use sancho::runtime::Server;
use sancho::store::Order;
use sancho::{Context, Outcome, job};
use serde_json::json;

use crate::harness::{in_time, until};
use crate::site::Site;
use crate::webdriver::{Browser, browser};

/// Runs until it is told to end.
#[job(class = "BrowserWaits", queue = "watched")]
async fn waits(#[context] cx: &Context) -> Outcome {
    cx.cancelled().await;
    Outcome::Done
}

/// Says yes, to the dialog or to the page that asks.
async fn sure(browser: &Browser) {
    browser
        .press("dialog[open] .yes, section.problem button.danger", "")
        .await;
}

/// What the first field of this name in the row says.
async fn value(browser: &Browser, row: u32, name: &str) -> String {
    let script = "return document.querySelector(`tbody tr:nth-child(${arguments[0]}) [name=${arguments[1]}]`).value";
    let value = browser.run(script, json!([row, name])).await;
    value.as_str().unwrap().to_owned()
}

/// Selects a row; the id of its job.
async fn select(browser: &Browser, row: u32) -> String {
    browser
        .press(
            &format!("tbody tr:nth-child({row}) input[type=checkbox]"),
            "",
        )
        .await;
    let id = value(browser, row, "id").await;
    id.split('|').nth(1).unwrap().to_owned()
}

async fn on_queues(browser: &Browser, site: &Site) {
    let queue = |name: &str| site.api.queue(name).unwrap();
    let row = async |name: &str| {
        let script = "return [...document.querySelectorAll('tbody tr')].findIndex((row) => row.textContent.startsWith(arguments[0])) + 1";
        let at = browser.run(script, json!([name])).await;
        format!("tbody tr:nth-child({at}) button")
    };
    browser.open(&site.page("queues")).await;
    browser.press(&row("mailers").await, "Pause").await;
    browser.shows("The queue is paused").await;
    assert!(queue("mailers").is_paused().await.unwrap());
    browser.press(&row("mailers").await, "Resume").await;
    browser.shows("The queue goes on").await;
    assert!(!queue("mailers").is_paused().await.unwrap());
    browser.press(&row("exports").await, "Clear").await;
    browser.shows("Delete all 4 jobs").await;
    assert_eq!(queue("exports").size().await.unwrap(), 4);
    sure(browser).await;
    browser.shows("The queue was cleared").await;
    assert_eq!(queue("exports").size().await.unwrap(), 0);

    browser.open(&site.page("queue?name=default")).await;
    let jid = value(browser, 3, "jid").await;
    browser
        .press("tbody tr:nth-child(3) button", "Run next")
        .await;
    browser.shows("1 job moved to the head of the queue").await;
    let head = queue("default").page(Order::Forward, 0, 1).await.unwrap();
    assert_eq!(head.jobs[0].jid().as_str(), jid);
    let jid = value(browser, 2, "jid").await;
    browser
        .press("tbody tr:nth-child(2) button", "Delete")
        .await;
    sure(browser).await;
    browser.shows("1 job deleted").await;
    assert!(queue("default").find(&jid).await.unwrap().is_none());
}

async fn on_retries(browser: &Browser, site: &Site) {
    let [waiting, scheduled, retries, dead] = site.sizes().await;
    browser.open(&site.page("retries")).await;
    for row in [1, 2] {
        select(browser, row).await;
    }
    browser.press(".selection button", "Retry now").await;
    browser.shows("2 jobs put into the queue").await;
    assert_eq!(
        site.sizes().await,
        [waiting + 2, scheduled, retries - 2, dead]
    );
    let killed = select(browser, 1).await;
    browser.press(".selection button", "Kill").await;
    sure(browser).await;
    browser.shows("1 job moved to the dead set").await;
    assert!(site.api.dead().find(&killed).await.unwrap().is_some());
    let deleted = select(browser, 2).await;
    browser.press(".selection button", "Delete").await;
    sure(browser).await;
    browser.shows("1 job deleted").await;
    assert!(site.api.retries().find(&deleted).await.unwrap().is_none());
    assert_eq!(
        site.sizes().await,
        [waiting + 2, scheduled, retries - 4, dead + 1]
    );

    // One job, on its own page.
    let moved = value(browser, 1, "id")
        .await
        .split('|')
        .nth(1)
        .unwrap()
        .to_owned();
    browser.press("tbody tr:nth-child(1) a.class", "").await;
    browser.press("main button", "Move to").await;
    browser.shows("1 job moved to another time").await;
    let entry = site.api.retries().find(&moved).await.unwrap().unwrap();
    let later = entry.at().since(site.api.now());
    assert!(later > Duration::from_secs(3_500), "{later:?}");

    // All that contain a text.
    browser.keys("#q", "declined").await;
    browser.press(".filter button", "Filter").await;
    browser.shows("all jobs that contain “declined”").await;
    browser.press(".all button", "Delete").await;
    sure(browser).await;
    browser.has("h1", "Done").await;
    let left = site.api.retries().scan("declined", 0, 1_000).await.unwrap();
    assert!(left.entries.is_empty());
    let left = site.sizes().await;
    assert!(left[2] < retries - 4 && left[2] > 0, "{left:?}");
}

async fn on_scheduled_and_dead(browser: &Browser, site: &Site) {
    let [waiting, scheduled, retries, dead] = site.sizes().await;
    browser.open(&site.page("scheduled")).await;
    select(browser, 1).await;
    browser.press(".selection button", "Run now").await;
    browser.shows("1 job put into the queue").await;
    select(browser, 1).await;
    browser.press(".selection button", "Delete").await;
    sure(browser).await;
    browser.shows("1 job deleted").await;
    assert_eq!(
        site.sizes().await,
        [waiting + 1, scheduled - 2, retries, dead]
    );
    browser.press("tbody tr:nth-child(1) a.class", "").await;
    browser.press("main button", "Kill").await;
    sure(browser).await;
    browser.shows("1 job moved to the dead set").await;
    assert_eq!(
        site.sizes().await,
        [waiting + 1, scheduled - 3, retries, dead + 1]
    );

    browser.open(&site.page("dead")).await;
    select(browser, 1).await;
    browser.press(".selection button", "Retry now").await;
    browser.shows("1 job put into the queue").await;
    assert_eq!(
        site.sizes().await,
        [waiting + 2, scheduled - 3, retries, dead]
    );
    // All of them but the one that is no job.
    browser.press(".all button", "Retry now").await;
    sure(browser).await;
    browser.has("h1", "Done").await;
    assert_eq!(
        site.sizes().await,
        [waiting + 1 + dead, scheduled - 3, retries, 1]
    );
    browser.open(&site.page("dead")).await;
    browser.press(".all button", "Delete").await;
    sure(browser).await;
    browser.has("h1", "Done").await;
    assert_eq!(site.sizes().await[3], 0);
}

async fn on_errors(browser: &Browser, site: &Site) {
    let kinds = async || {
        let rows = browser.run("return [...document.querySelectorAll('tbody tr td:first-child')].map((e) => Number(e.textContent))", json!([]));
        let rows: Vec<u64> = serde_json::from_value(rows.await).unwrap();
        rows
    };
    let [waiting, _, retries, _] = site.sizes().await;
    browser.open(&site.page("errors")).await;
    let before = kinds().await;
    assert_eq!(before.iter().sum::<u64>(), retries);
    browser.press("tbody tr:nth-child(1) button", "Retry").await;
    sure(browser).await;
    browser.has("h1", "Done").await;
    assert_eq!(
        site.sizes().await[..3],
        [
            waiting + before[0],
            site.sizes().await[1],
            retries - before[0]
        ]
    );
    browser.press("main a", "Back to Errors").await;
    browser.has("h1", "Errors").await;
    let after = kinds().await;
    assert_eq!(after, before[1..]);
    browser
        .press("tbody tr:nth-child(1) button", "Discard")
        .await;
    sure(browser).await;
    browser.has("h1", "Done").await;
    let left = site.sizes().await;
    assert_eq!(
        [left[0], left[2]],
        [waiting + before[0], retries - before[0] - after[0]]
    );
}

/// Each entry of the cron can be switched off and on, and asked for at once.
async fn on_cron(browser: &Browser, site: &Site) {
    let cron = site.api.cron();
    for name in ["nightly", "weekly"] {
        let entry = CronEntry::new(name, "30 2 * * *", "ReportJob");
        let entry = entry.and_then(|entry| entry.queue("reports")).unwrap();
        cron.add(entry).await.unwrap();
    }
    let enabled = async |name| cron.get(name).await.unwrap().unwrap().enabled;
    browser.open(&site.page("cron")).await;
    browser.shows("2 entries").await;
    let button = "form:has(input[value=nightly]) button";
    browser.press(button, "Disable").await;
    browser.shows("The entry is disabled").await;
    assert!(!enabled("nightly").await && enabled("weekly").await);
    browser.press(button, "Enable").await;
    browser.shows("The entry is enabled").await;
    assert!(enabled("nightly").await);
    browser.press(button, "Run now").await;
    browser.shows("Its job was pushed").await;
    let history = cron.history("nightly").await.unwrap();
    let jid = history[0].jid.clone().unwrap();
    browser.shows(jid.as_str()).await;
    let reports = site.api.queue("reports").unwrap();
    assert!(reports.find(jid.as_str()).await.unwrap().is_some());
    // From its own page, the way leads back to it.
    browser.press(".head button", "Disable").await;
    browser.shows("None while it is disabled").await;
    assert!(!enabled("nightly").await);
}

/// A query is completed term by term, and what it finds is acted on.
async fn on_search(browser: &Browser, site: &Site, scripts: bool) {
    let [.., retries, dead] = site.sizes().await;
    browser.open(&site.page("search")).await;
    let offered = async || {
        let options = "return [...document.querySelector('.search input').list.options].map((option) => option.value)";
        let options: Vec<String> =
            serde_json::from_value(browser.run(options, json!([])).await).unwrap();
        options
    };
    for term in ["class:ChargeCard", "state:retry", "queue:mailers", "error:"] {
        assert!(offered().await.iter().any(|offer| offer == term), "{term}");
    }
    browser.keys("#q", "class:ChargeCard sta").await;
    if scripts {
        let next = "class:ChargeCard state:retry";
        assert!(offered().await.iter().any(|offer| offer == next));
    }
    browser.keys("#q", "te:retry\u{e007}").await;
    browser.shows("found. Looked at all").await;
    let query = "return new URLSearchParams(location.search).get('q')";
    let query = browser.run(query, json!([])).await;
    assert_eq!(query, "class:ChargeCard state:retry");
    let killed = select(browser, 1).await;
    browser.press(".selection button", "Kill").await;
    sure(browser).await;
    browser.shows("1 job moved to the dead set").await;
    assert!(site.api.dead().find(&killed).await.unwrap().is_some());
    assert_eq!(site.sizes().await[2..], [retries - 1, dead + 1]);
    // The way led back to what was looked for.
    browser.has("h1", "Search").await;
}

/// A real process runs a real job, which is cancelled in the list; then all processes are quieted and stopped.
async fn on_all_processes(browser: &Browser, site: &Site) {
    let server = Server::builder()
        .client(&site.client)
        .tag("watched")
        .only::<waits>();
    let server = server.queues(["watched"]).build().unwrap();
    let running = tokio::spawn(server.run_until(std::future::pending()));
    let push = waits::set().client(&site.client);
    let jid = push.perform_async().await.unwrap();
    let work = || async { site.api.find_work(jid.as_str()).await.unwrap().is_some() };
    until("the process shows what it runs", work, |shown| *shown).await;
    browser.open(&site.page("busy")).await;
    let cancel = format!("form:has(input[value='{jid}']) button");
    browser.press(&cancel, "Cancel").await;
    sure(browser).await;
    browser.shows("The job was told to end").await;
    until("the job has ended", work, |shown| !shown).await;
    let quiet = || async {
        let processes = site.api.processes().await.unwrap();
        let ours = processes.iter().find(|process| process.tag == "watched");
        ours.map(|process| process.quiet)
    };
    browser.press(".head button", "Quiet all").await;
    sure(browser).await;
    // How many others there are by then is their own affair.
    browser.shows("told to take no more jobs").await;
    until("the process is quiet", quiet, |quiet| *quiet == Some(true)).await;
    browser.press(".head button", "Stop all").await;
    sure(browser).await;
    browser.shows("told to stop").await;
    in_time("the process stops", running)
        .await
        .unwrap()
        .unwrap();
    until("the process is gone", quiet, Option::is_none).await;
}

/// A real process runs a real job: cancelled, quieted and stopped.
async fn on_busy(browser: &Browser, site: &Site) {
    let server = Server::builder()
        .client(&site.client)
        .tag("watched")
        .only::<waits>();
    let server = server.queues(["watched"]).build().unwrap();
    let running = tokio::spawn(server.run_until(std::future::pending()));
    let jid = waits::set()
        .client(&site.client)
        .perform_async()
        .await
        .unwrap();
    let jid = jid.as_str();
    let work = || async { site.api.find_work(jid).await.unwrap().is_some() };
    until("the process shows what it runs", work, |shown| *shown).await;
    let process = || async {
        let processes = site.api.processes().await.unwrap();
        processes
            .into_iter()
            .find(|process| process.tag == "watched")
            .map(|process| process.quiet)
    };
    browser.open(&site.page("busy")).await;
    browser.shows("BrowserWaits").await;
    browser
        .open(&site.page(&format!("job?in=busy&jid={jid}")))
        .await;
    browser.press("main button", "Cancel").await;
    sure(browser).await;
    browser.shows("The job was told to end").await;
    until("the job has ended", work, |shown| !shown).await;
    let identity = site.api.processes().await.unwrap();
    let identity = identity
        .into_iter()
        .find(|process| process.tag == "watched")
        .unwrap()
        .identity;
    let button = format!("form:has(input[value='{identity}']) button");
    browser.open(&site.page("busy")).await;
    browser.press(&button, "Quiet").await;
    sure(browser).await;
    browser.shows("1 process told to take no more jobs").await;
    until("the process is quiet", process, |quiet| {
        *quiet == Some(true)
    })
    .await;
    browser.press(&button, "Stop").await;
    sure(browser).await;
    browser.shows("1 process told to stop").await;
    in_time("the process stops", running)
        .await
        .unwrap()
        .unwrap();
    until("the process is gone", process, Option::is_none).await;
}

async fn on_the_bar(browser: &Browser, site: &Site) {
    let job = site
        .api
        .queue("mailers")
        .unwrap()
        .page(Order::Forward, 50, 1)
        .await
        .unwrap();
    let jid = job.jobs[0].jid().as_str();
    browser.open(&site.page("metrics")).await;
    browser.keys("#find", &format!("{jid}\u{e007}")).await;
    browser.shows("in mailers, place 51").await;
    browser.shows(jid).await;
    let theme = || async {
        let script = "return document.documentElement.dataset.theme ?? null";
        browser.run(script, json!([])).await
    };
    let button = "button[aria-label^=Colours]";
    for expected in [json!("dark"), json!("light"), json!(null)] {
        browser.press(button, "").await;
        until("the colours change", theme, |theme| *theme == expected).await;
        browser.shows(jid).await;
    }
}

async fn every_action_is_done(site: Site, scripts: bool) {
    let browser = browser().await;
    browser.scripts(scripts).await;
    on_the_bar(&browser, &site).await;
    on_search(&browser, &site, scripts).await;
    on_queues(&browser, &site).await;
    on_retries(&browser, &site).await;
    on_scheduled_and_dead(&browser, &site).await;
    on_errors(&browser, &site).await;
    on_cron(&browser, &site).await;
    on_busy(&browser, &site).await;
    on_all_processes(&browser, &site).await;
    let complaints = browser.complaints().await;
    assert!(complaints.is_empty(), "{complaints:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_action_is_done_on_redis() {
    every_action_is_done(Site::on_redis().await, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_action_is_done_on_redis_without_scripts() {
    every_action_is_done(Site::on_redis().await, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_action_is_done_on_sqlite() {
    every_action_is_done(Site::on_sqlite().await, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_action_is_done_on_sqlite_without_scripts() {
    every_action_is_done(Site::on_sqlite().await, false).await;
}
