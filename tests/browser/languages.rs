//! The pages in the languages of their readers: chosen with scripts and without, from the right to the left, and with numbers as the browser
//! itself would write them.

use sancho::store::{Effect, Stat};
use serde_json::{Value, json};

use crate::demo::apply;
use crate::harness::until;
use crate::pages::Findings;
use crate::site::Site;
use crate::webdriver::{Browser, Look, browser};

const LANGUAGES: [&str; 13] = [
    "en", "de", "es", "fr", "it", "nl", "pl", "pt-BR", "ru", "ar", "ja", "ko", "zh-CN",
];

/// Chooses a language, as its readers find it.
async fn choose(browser: &Browser, name: &str, scripts: bool) {
    browser.keys("#language", name).await;
    if !scripts {
        browser.press(".language button", "").await;
    }
}

async fn lang(browser: &Browser) -> Value {
    browser
        .run("return document.documentElement.lang", json!([]))
        .await
}

async fn a_language_is_chosen(scripts: bool) {
    let site = Site::on_sqlite().await;
    let browser = browser().await;
    browser.scripts(scripts).await;
    browser.open(&site.page("retries?rows=50")).await;
    for (name, tag, title, there) in [
        ("Deutsch", "de", "Wiederholungen", "60 Jobs"),
        ("Fran", "fr", "Réessais", "60 tâches"),
        ("Polski", "pl", "Ponowienia", "60 zadań"),
    ] {
        choose(&browser, name, scripts).await;
        until(
            "the language changes",
            || lang(&browser),
            |lang| lang == tag,
        )
        .await;
        browser.has("h1", title).await;
        browser.shows(there).await;
        // It led back to where it was chosen, and stays.
        let rows = "return location.search";
        assert_eq!(browser.run(rows, json!([])).await, "?rows=50");
        browser.open(&site.page("retries?rows=50")).await;
        browser.has("h1", title).await;
    }
    // A question is asked in it, and the answer to it is as well.
    browser.press("tbody tr:nth-child(1) input", "").await;
    browser.press(".selection button", "Usuń").await;
    browser
        .press("dialog[open] .yes, section.problem button.danger", "")
        .await;
    browser.shows("Usunięto 1 zadanie.").await;
    assert_eq!(site.sizes().await[2], 59);
    choose(&browser, "English", scripts).await;
    browser.has("h1", "Retries").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_language_is_chosen_with_scripts() {
    a_language_is_chosen(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_language_is_chosen_without_scripts() {
    a_language_is_chosen(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_read_from_the_right() {
    let site = Site::on_sqlite().await;
    let browser = browser().await;
    browser.open(&site.page("")).await;
    choose(&browser, "العربية", true).await;
    until(
        "the language changes",
        || lang(&browser),
        |lang| lang == "ar",
    )
    .await;
    let mut findings = Findings::default();
    let pages = [
        "",
        "busy",
        "queue?name=mailers",
        "retries",
        "errors",
        "metrics",
        "search",
    ];
    let looks = [Look::WIDE, Look::NARROW.dark()];
    for page in pages {
        findings.open(&browser, &site.page(page), 200, &looks).await;
    }
    findings.none();
    // The navigation stands on the right.
    browser.look(Look::WIDE).await;
    let side = "return document.querySelector('.side').getBoundingClientRect().right === innerWidth && document.dir === 'rtl'";
    assert_eq!(browser.run(side, json!([])).await, true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_and_times_are_written_as_the_browser_writes_them() {
    let redis = sancho_tests::RedisServer::start(&[]);
    let site = Site::at(&redis.url()).await;
    let counts = vec![
        Effect::Count(Stat::Processed, 123_456_789_012),
        Effect::Count(Stat::Failed, 1_234),
    ];
    apply(site.store(), counts).await;
    let browser = browser().await;
    for language in LANGUAGES {
        browser.open(&site.page("")).await;
        let set = "document.cookie = `sancho_language=${arguments[0]}`";
        browser.run(set, json!([language])).await;
        browser.open(&site.page("")).await;
        assert_eq!(lang(&browser).await, language);
        let script = "
            const number = new Intl.NumberFormat(`${arguments[0]}-u-nu-latn`);
            const expected = [123456789012, 1234, 0, 0, 0, 0, 0].map((n) => number.format(n));
            return [[...document.querySelectorAll('.totals strong')].map((e) => e.textContent), expected]";
        let numbers = browser.run(script, json!([language])).await;
        assert_eq!(numbers[0], numbers[1], "{language}");
        // The script says times as the server does.
        let script = "
            const at = (seconds) => new Date(Date.now() - seconds * 1000).toISOString();
            const make = (seconds) => Object.assign(document.createElement('time'), {dateTime: at(seconds), title: ''});
            const all = [0, 40, 600, 90000, 400000, -90100].map(make);
            for (const time of all) { time.dataset.relative = ''; document.body.append(time); }
            tellTimes();
            return all.map((time) => time.textContent)";
        let told = browser.run(script, json!([])).await;
        let told: Vec<String> = serde_json::from_value(told).unwrap();
        assert!(
            told.iter()
                .all(|text| !text.contains(['{', '}']) && !text.is_empty()),
            "{language}: {told:?}"
        );
        if language == "en" {
            assert_eq!(
                told,
                [
                    "now",
                    "40 s ago",
                    "10 min ago",
                    "25 h ago",
                    "4 d ago",
                    "in 25 h"
                ]
            );
        }
    }
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}
