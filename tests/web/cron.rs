//! The cron's pages.

use std::time::Duration;

use sancho::cron::CronEntry;
use sancho::store::{Effect, Members, keys};
use sancho_tests::Kind;
use sancho_web::{Action, Options};

use crate::browser::{Site, encode, on_every_store};
use crate::hostile::{EVIL, assert_clean};

fn nightly() -> CronEntry {
    CronEntry::new(
        "nightly_report",
        "30 2 * * mon-fri Europe/Berlin",
        "ReportJob",
    )
    .and_then(|entry| entry.args(("full", 7)))
    .and_then(|entry| entry.queue("low"))
    .unwrap()
    .description("What the night brought")
}

async fn entries_are_shown(site: Site) {
    let cron = site.api().cron();
    cron.add(nightly()).await.unwrap();
    let hourly = CronEntry::new("sync", "@hourly", "SyncStock").unwrap();
    cron.add(hourly).await.unwrap();
    cron.disable("sync").await.unwrap();
    let page = site.get("/cron").await;
    page.shows("2 entries · 1 disabled")
        .shows("Monday to Friday at 02:30")
        .shows("30 2 * * mon-fri Europe/Berlin")
        .shows("What the night brought")
        .shows("&quot;full&quot;, 7")
        .shows(">disabled<")
        .shows("data-n=\"cron\" title=\"2\"");
    let page = site
        .get(&format!("/{}", page.link("cron?name=nightly")))
        .await;
    page.shows("Monday to Friday at 02:30 · Europe/Berlin")
        .shows("It has not run yet")
        .shows("ReportJob")
        .shows(">api<");
    assert_eq!(page.text.matches("<li class=\"next\">").count(), 10);
    assert!(page.text.contains(" 02:30:00</span>"), "{}", page.text);
    site.get("/cron?name=sync")
        .await
        .shows("None while it is disabled");
    let entries = site.get("/api/cron").await.json();
    let first = &entries["entries"][0];
    assert_eq!(first["means"], "Monday to Friday at 02:30");
    assert_eq!(first["args"], serde_json::json!(["\"full\"", "7"]));
    assert_eq!(first["next_runs"].as_array().unwrap().len(), 10);
    assert_eq!(entries["entries"][1]["enabled"], false);
    let one = site.get("/api/cron?name=sync").await.json();
    assert_eq!(one["entries"].as_array().unwrap().len(), 1);
}

async fn an_entry_is_disabled_enabled_and_run(site: Site) {
    let cron = site.api().cron();
    cron.add(nightly()).await.unwrap();
    let form = |what| [("name", "nightly_report"), ("do", what)];
    let enabled = async || {
        let status = cron.get("nightly_report").await.unwrap();
        status.unwrap().enabled
    };
    site.post_surely("/cron", &form("disable"))
        .await
        .shows("The entry is disabled")
        .shows("1 entry · 1 disabled");
    assert!(!enabled().await);
    site.post_surely("/cron", &form("enable"))
        .await
        .shows("The entry is enabled");
    assert!(enabled().await);
    let page = site.post_surely("/cron", &form("run")).await;
    page.shows("Its job was pushed").shows(">asked for<");
    let history = cron.history("nightly_report").await.unwrap();
    let jid = history[0].jid.clone().unwrap();
    let link = page.link(&format!("find?jid={jid}"));
    let found = site.get(&format!("/{link}")).await;
    found.is(303);
    let to = found.headers["location"].to_str().unwrap();
    site.get(&format!("/{to}")).await.shows("ReportJob");
    assert_eq!(site.api().queue("low").unwrap().size().await.unwrap(), 1);
    // From its own page, the way leads back to it.
    let from = [
        ("name", "nightly_report"),
        ("back", "entry"),
        ("do", "disable"),
    ];
    site.post_surely("/cron", &from)
        .await
        .shows("None while it is disabled");
    let ran = site.post("/api/cron", &form("run")).await;
    assert_eq!(ran.is(200).json()["done"], true);
    assert!(ran.json()["jid"].is_string());
    let enable = site.post("/api/cron", &form("enable")).await;
    assert!(enable.is(200).json()["jid"].is_null());
    assert!(enabled().await);
}

async fn what_is_not_there_is_told(site: Site) {
    for name in ["nobody", "a/b\"c'?&#%", "../../etc", EVIL] {
        let page = site.get(&format!("/cron?name={}", encode(name))).await;
        assert_clean(name, &page.is(404).text);
        site.get(&format!("/api/cron?name={}", encode(name)))
            .await
            .is(404);
        for did in ["enable", "disable", "run"] {
            let form = [("name", name), ("do", did)];
            assert_clean(name, &site.post("/cron", &form).await.is(404).text);
            site.post("/api/cron", &form).await.is(404);
        }
    }
    site.get("/cron?name=")
        .await
        .shows("Nothing comes by itself");
    site.get("/cron?from=18446744073709551615&rows=x")
        .await
        .shows("Nothing here any more");
    for did in ["", "explode", "remove"] {
        let form = [("name", "nobody"), ("do", did)];
        site.post("/cron", &form).await.is(422);
        site.post("/api/cron", &form).await.is(422);
    }
    assert_eq!(site.api().cron().size().await.unwrap(), 0);
}

async fn what_others_wrote_is_escaped_and_can_be_asked_for(site: Site) {
    let entry = CronEntry::new(EVIL, "@daily", EVIL)
        .and_then(|entry| entry.args([EVIL]))
        .and_then(|entry| entry.queue("<script>"))
        .unwrap();
    let entry = entry.description(EVIL);
    site.api().cron().load(vec![entry], EVIL).await.unwrap();
    unreadable(&site, "<b>broken").await;
    let page = site.get("/cron").await;
    page.shows("It cannot be read");
    assert_clean("cron", &page.text);
    page.hides("<b>broken");
    let link = page.link("cron?name=%3Cscript");
    let entry = site.get(&format!("/{link}")).await;
    assert_clean("entry", &entry.is(200).text);
    entry.shows("every day at 00:00");
    let broken = site.get("/cron?name=%3Cb%3Ebroken").await;
    broken
        .shows("What it is cannot be read")
        .hides("<b>broken")
        .hides("value=\"run\"");
    site.post("/cron", &[("name", "<b>broken"), ("do", "run")])
        .await
        .is(422);
    let page = site
        .post_surely("/cron", &[("name", EVIL), ("do", "run")])
        .await;
    assert_clean("run", &page.text);
    page.shows(">asked for<");
}

/// An entry that another version wrote.
async fn unreadable(site: &Site, name: &str) {
    site.fixture
        .apply(vec![
            Effect::Join(Members::Cron, name.into()),
            Effect::SetFields {
                key: keys::cron_entry(name),
                fields: vec![("entry".into(), "{\"cron\":\"<b>\"}".into())],
                ttl: None,
            },
        ])
        .await;
}

async fn many_entries_are_paged(site: Site) {
    let entry = |n: usize| CronEntry::new(format!("e{n:02}"), "@daily", "A").unwrap();
    let entries = (0..30).map(entry).collect();
    site.api().cron().load(entries, "test").await.unwrap();
    let page = site.get("/cron").await;
    page.shows(">e24<").hides(">e25<").shows("1–25 of 30");
    site.get(&format!("/{}", page.link("from=25")))
        .await
        .shows(">e29<")
        .hides(">e24<");
}

on_every_store! {
    entries_are_shown
    an_entry_is_disabled_enabled_and_run
    what_is_not_there_is_told
    what_others_wrote_is_escaped_and_can_be_asked_for
    many_entries_are_paged
}

#[tokio::test]
async fn what_is_not_allowed_is_neither_offered_nor_done() {
    let options = Options::new()
        .trust_every_request()
        .authorize(|_, action| action != Action::RunCron);
    let read_only = Options::new().trust_every_request().read_only();
    for (options, may_switch) in [(options, true), (read_only, false)] {
        let site = Site::with(Kind::Memory, options).await;
        site.api().cron().add(nightly()).await.unwrap();
        for path in ["/cron", "/cron?name=nightly_report"] {
            let page = site.get(path).await;
            page.is(200).hides("value=\"run\"");
            assert_eq!(page.text.contains("value=\"disable\""), may_switch);
        }
        for path in ["/cron", "/api/cron"] {
            site.post(path, &[("name", "nightly_report"), ("do", "run")])
                .await
                .is(403);
        }
        let form = [("name", "nightly_report"), ("do", "disable")];
        let status = if may_switch { 303 } else { 403 };
        site.post("/cron", &form).await.is(status);
        let entry = site.api().cron().get("nightly_report").await.unwrap();
        let entry = entry.unwrap();
        assert_eq!(entry.enabled, !may_switch);
        assert!(entry.history().is_empty());
    }
}

#[tokio::test]
async fn arguments_are_masked_by_name() {
    let options = Options::new().trust_every_request().mask(["token"]);
    let site = Site::with(Kind::Memory, options).await;
    let args = serde_json::json!([{ "token": "s3cret", "id": 7 }]);
    let entry = CronEntry::new("a", "@daily", "A").and_then(|entry| entry.args(args));
    site.api().cron().add(entry.unwrap()).await.unwrap();
    for path in ["/cron", "/cron?name=a", "/api/cron"] {
        site.get(path).await.shows("[masked]").hides("s3cret");
    }
}

#[tokio::test]
async fn times_are_those_of_the_entrys_zone() {
    let site = Site::on(Kind::Memory).await;
    site.api().cron().add(nightly()).await.unwrap();
    let status = site.api().cron().get("nightly_report").await.unwrap();
    let status = status.unwrap();
    let next = status.next_runs(1, site.now())[0];
    // Berlin is ahead of UTC, so the day there is the same at half past two.
    let utc = chrono::DateTime::<chrono::Utc>::from(next);
    let hours = 2 - i64::from(chrono::Timelike::hour(&utc));
    let there = utc + Duration::from_secs(u64::try_from(hours).unwrap() * 3_600);
    site.get("/cron?name=nightly_report")
        .await
        .shows(&there.format("%a %Y-%m-%d 02:30:00").to_string());
}
