//! Every page in every language: chosen by the browser or by its user, with nothing left in English that is translated.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Request;
use sancho_tests::Kind;

use crate::browser::{Answer, Site};
use crate::filled::{EMPTY, PAGES, empty, filled};

const LANGUAGES: [&str; 12] = [
    "de", "es", "fr", "it", "nl", "pl", "pt-BR", "ru", "ar", "ja", "ko", "zh-CN",
];

/// What the store and the description of the search hold, in every language.
const DATA: [&str; 26] = [
    "Job::",
    "mailers",
    "low-1",
    "vm:7",
    "abc",
    "vip-1",
    "a1@b",
    "app::",
    "ada@example.com",
    "declined",
    "timed-out",
    "nightly-9",
    "Europe/Berlin",
    "What night 9 brought",
    "Monday to Friday",
    "memory:1",
    "staging-1",
    "Sancho",
    "UTC",
    "d3ab86",
    "v42",
    "default",
    "full-1",
    "read timed out",
    "nobody-1",
    "class:WelcomeEmail state:retry",
];

/// Words that some language has taken over from English, or shares with it; and the name of a key.
const SHARED: [&str; 17] = [
    "cron",
    "job",
    "jobs",
    "live",
    "worker",
    "workers",
    "batch",
    "error",
    "pages",
    "actions",
    "arguments",
    "argument",
    "expression",
    "leader",
    "system",
    "enter",
    "place",
];

async fn read(site: &Site, path: &str, language: &str) -> Answer {
    let request = Request::get(path).header("accept-language", language);
    site.ask(request.body(Body::empty()).unwrap()).await
}

/// The texts of a page, and those of its attributes that people read.
fn texts(html: &str) -> BTreeSet<String> {
    // What the script says stands in an attribute of its own, as JSON.
    let (before, rest) = html.split_once("data-words=\"").unwrap();
    let html = format!("{before}{}", rest.split_once('"').unwrap().1);
    // The languages call themselves by their own names.
    let (before, rest) = html.split_once("<select").unwrap();
    let html = format!("{before}{}", rest.split_once("</select>").unwrap().1);
    let mut texts = BTreeSet::new();
    let mut add = |text: &str| {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        texts.insert(text);
    };
    for part in html.split('<').skip(1) {
        let (tag, text) = part.split_once('>').unwrap_or((part, ""));
        add(text);
        for name in ["title", "aria-label", "placeholder", "data-ask"] {
            if let Some((_, value)) = tag.split_once(&format!(" {name}=\"")) {
                add(value.split('"').next().unwrap());
            }
        }
    }
    texts
}

/// Whether a text is one that a language has words of its own for.
fn is_said(text: &str) -> bool {
    let word = |part: &&str| part.chars().filter(|c| c.is_alphabetic()).count() > 3;
    let plain: String = text.chars().filter(|c| !c.is_ascii_digit()).collect();
    !DATA.iter().any(|data| text.contains(data))
        && !SHARED.contains(&&*plain.trim_matches([' ', ',']).to_lowercase())
        // The terms of the search are the same in all languages.
        && (text.contains(' ') || !text.contains(':'))
        && text.split([' ', '-']).any(|part| word(&part))
}

async fn nothing_is_left_in_english(site: &Site, pages: &[(&str, &str)]) {
    let mut left = Vec::new();
    for (name, path) in pages {
        let english = texts(&read(site, path, "en").await.text);
        for language in LANGUAGES {
            let page = read(site, path, language).await;
            assert!(
                page.text.contains(&format!("<html lang=\"{language}\"")),
                "{}",
                page.text
            );
            assert_eq!(page.text.contains("dir=\"rtl\""), language == "ar");
            let texts = texts(&page.text);
            let same = texts.intersection(&english).filter(|text| is_said(text));
            left.extend(same.map(|text| format!("{name} in {language}: {text}")));
            let open = texts
                .iter()
                .filter(|text| text.contains("{n}") || text.contains("{time}"));
            left.extend(open.map(|text| format!("{name} in {language} is not filled: {text}")));
        }
    }
    assert!(left.is_empty(), "{}", left.join("\n"));
}

#[tokio::test]
async fn every_page_is_in_every_language() {
    nothing_is_left_in_english(&filled().await, &PAGES).await;
}

#[tokio::test]
async fn every_page_of_an_empty_store_is_in_every_language() {
    nothing_is_left_in_english(&empty().await, &EMPTY).await;
}

/// What is done on pages: questions, what became of it, and what was refused.
#[tokio::test]
async fn what_is_asked_and_answered_is_in_every_language() {
    let site = filled().await;
    let done: Vec<(String, String)> = [
        "delete",
        "retry",
        "kill",
        "reschedule",
        "next",
        "cancel",
        "removed",
        "missed",
        "pause",
        "resume",
        "clear",
        "quiet",
        "stop",
        "dump",
        "enable",
        "disable",
        "run",
        "nothing",
    ]
    .iter()
    .map(|did| (String::from(*did), format!("/queues?did={did}&n=2&gone=3")))
    .collect();
    let done: Vec<(&str, &str)> = done.iter().map(|(did, path)| (&**did, &**path)).collect();
    nothing_is_left_in_english(&site, &done).await;
    let forms: [(&str, &[(&str, &str)]); 8] = [
        ("/queues", &[("name", "mailers"), ("do", "clear")]),
        ("/retries", &[("all", "yes"), ("do", "delete")]),
        (
            "/retries",
            &[("all", "yes"), ("do", "kill"), ("q", "declined")],
        ),
        ("/retries", &[("id", "1|x"), ("do", "delete")]),
        (
            "/retries",
            &[("id", "1|x"), ("do", "reschedule"), ("minutes", "x")],
        ),
        ("/errors", &[("group", "1"), ("do", "retry")]),
        ("/busy", &[("do", "stop")]),
        ("/busy", &[("do", "cancel"), ("jid", "b01")]),
    ];
    for (path, form) in forms {
        let said = async |language: &str| {
            let request = crate::browser::posted(path, form).header("accept-language", language);
            let request = request.body(crate::browser::body(form)).unwrap();
            texts(&site.ask(request).await.text)
        };
        let english = said("en").await;
        for language in LANGUAGES {
            let texts = said(language).await;
            let same: Vec<_> = texts
                .intersection(&english)
                .filter(|text| is_said(text))
                .collect();
            assert!(same.is_empty(), "{path} {form:?} in {language}: {same:?}");
        }
    }
}

#[tokio::test]
async fn a_language_that_was_chosen_is_kept_in_a_cookie() {
    let site = Site::on(Kind::Memory).await;
    let answer = site.post("/language", &[("language", "fr")]).await;
    let cookie = answer.is(303).headers["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("sancho_language=fr; "), "{cookie}");
    assert!(
        cookie.contains("SameSite=Lax") && cookie.contains("HttpOnly"),
        "{cookie}"
    );
    let asked = |cookie: &str| {
        let request = Request::get("/")
            .header("accept-language", "de")
            .header("cookie", cookie);
        request.body(Body::empty()).unwrap()
    };
    site.ask(asked("sancho_theme=dark; sancho_language=fr"))
        .await
        .shows("<html lang=\"fr\"")
        .shows("<option value=\"fr\" lang=\"fr\" selected");
    site.ask(asked("sancho_language=\"><script>"))
        .await
        .shows("<html lang=\"de\"");
    for bad in ["", "klingon", "EN", "\r\nset-cookie: a=b"] {
        let answer = site.post("/language", &[("language", bad)]).await;
        assert!(!answer.is(422).headers.contains_key("set-cookie"), "{bad}");
    }
    let answer = site.get("/api/jobs?set=nowhere").await;
    let german = Request::get("/api/jobs?set=nowhere").header("accept-language", "de");
    let german = site.ask(german.body(Body::empty()).unwrap()).await;
    assert_eq!(
        german.text, answer.text,
        "programs read the same everywhere"
    );
}

#[tokio::test]
async fn numbers_are_grouped_as_in_the_language() {
    let site = filled().await;
    for (language, number) in [
        ("en", "123,456,789,012"),
        ("de", "123.456.789.012"),
        ("fr", "123\u{202f}456\u{202f}789\u{202f}012"),
        ("ru", "123\u{a0}456\u{a0}789\u{a0}012"),
        ("ja", "123,456,789,012"),
    ] {
        assert!(
            read(&site, "/", language).await.text.contains(number),
            "{language}"
        );
        // What programs read stays as it is.
        let stats = read(&site, "/api/stats", language).await;
        assert_eq!(stats.json()["processed"], 123_456_789_012_u64);
    }
}
