//! What others wrote, and what others ask: a clear page with the right status, and nothing done.

use sancho::store::TimedSet;

use crate::browser::{Site, body, encode, on_every_store, posted};

pub(crate) const EVIL: &str = "<script>alert('x')</script>\"'&</td><img src=x onerror=1>";

async fn what_others_wrote_is_escaped_everywhere(site: Site) {
    let job = |jid: &str| {
        serde_json::json!({
            "class": EVIL, "args": [EVIL, {EVIL: EVIL}], "jid": format!("{jid}{EVIL}"), "queue": EVIL, "tags": [EVIL],
            "created_at": 1_795_469_304_000_i64, "failed_at": 1_795_469_305_000_i64, "error_class": EVIL,
            "error_message": EVIL, "error_backtrace": [EVIL], "cattr": {EVIL: EVIL}, EVIL: EVIL, "bid": EVIL,
        })
        .to_string()
    };
    site.push(EVIL, job("a")).await;
    site.push("default", format!("{{bad {EVIL}")).await;
    for set in TimedSet::ALL {
        site.put(set, 60, job(set.name())).await;
        site.put(set, 61, format!("{{bad {EVIL}")).await;
    }
    site.process("vm:7:abc", "\"<script>\"", false, Some(&job("run")))
        .await;
    site.api().deploys().mark(EVIL).await.unwrap();
    let name = encode(EVIL);
    let mut paths: Vec<String> = [
        "/",
        "/busy",
        "/queues",
        "/scheduled",
        "/retries",
        "/dead",
        "/errors",
        "/metrics",
    ]
    .map(str::to_owned)
    .into();
    paths.extend(
        [
            "queue?name=",
            "retries?q=",
            "metrics?class=",
            "metrics?q=",
            "find?jid=",
        ]
        .map(|path| format!("/{path}{name}")),
    );
    let mut pages = Vec::new();
    for path in paths {
        pages.push((path.clone(), site.get(&path).await));
    }
    // And the pages of all jobs that these lead to.
    for (_, page) in &pages[..] {
        for link in page
            .text
            .split("href=\"")
            .skip(1)
            .filter(|link| link.starts_with("job?"))
        {
            let link = format!("/{}", link.split('"').next().unwrap().replace("&amp;", "&"));
            let page = site.get(&link).await;
            page.is(200);
            assert_clean(&link, &page.text);
        }
    }
    for (path, page) in pages {
        page.is(200);
        assert_clean(&path, &page.text);
    }
    site.get(&format!("/{name}"))
        .await
        .is(404)
        .hides("<script>alert")
        .hides("<img src=x");
    let page = site
        .post("/queues", &[("name", EVIL), ("do", "clear")])
        .await;
    page.is(200);
    assert_clean("confirm", &page.text);
}

#[track_caller]
pub(crate) fn assert_clean(path: &str, text: &str) {
    for bad in [
        "<script>",
        "<img src=x",
        "</td><img",
        "onerror=1>",
        "alert('x')</",
    ] {
        assert!(!text.contains(bad), "{bad} is in {path}: {text}");
    }
}

async fn what_is_not_there_is_said_and_nothing_is_done(site: Site) {
    site.put(
        TimedSet::Retry,
        60,
        r#"{"class":"A","args":[],"jid":"a/b\"c|d-e"}"#,
    )
    .await;
    for path in [
        "/nothing",
        "/queue/x/y",
        "/job?in=retry&id=1|a",
        "/job?in=retry&id=x",
        "/job?in=nowhere&id=1|a",
        "/job?in=busy&jid=x",
        "/job?in=queue&name=x&jid=y",
        "/sweep?id=7",
        "/sweep?id=x",
        "/assets/style-0.css",
        "/assets/..%2F..%2Fetc%2Fpasswd",
        "/payload?in=dead&id=1|a",
        "/api/nothing",
        "/api/job?in=retry&id=1|a",
        "/api/jobs?in=nowhere",
        "/api/sweep?id=1",
    ] {
        site.get(path).await.is(404);
    }
    for path in [
        "/queue",
        "/queue?name=",
        "/find?jid=",
        "/api/history?days=0",
        "/api/history?days=99999",
        "/api/queue",
    ] {
        site.get(path).await.is(422);
    }
    for path in [
        "/retries?from=18446744073709551615",
        "/retries?from=-1&rows=x",
        "/retries?q=%00%ff%27%22;--",
        "/queue?name=a&from=99999999999999999999",
        "/?days=-1",
        "/metrics?hours=999999",
        "/metrics?class=%F0%9F%92%A9",
        "/errors?depth=18446744073709551615",
        "/dead?did=%3Cb%3E&n=x&gone=-4",
        "/find?jid=a&place=18446744073709551615&from=9",
        "/find?jid=a&seen=18446744073709551615",
        "/search?q=a&seen=18446744073709551615",
        "/search?q=a&from=queued:18446744073709551615:x",
        "/search?q=a&from=retry:18446744073709551615",
        "/cron?from=18446744073709551615&rows=200",
        "/retries?&&&===%zz",
    ] {
        site.get(path).await.is(200);
    }
    for (path, form) in [
        ("/queues", &[("name", ""), ("do", "pause")][..]),
        ("/queues", &[("name", "a"), ("do", "explode")]),
        ("/queue", &[("name", "a"), ("do", "explode")]),
        ("/retries", &[("id", "x"), ("do", "explode")]),
        ("/dead", &[("id", "x"), ("do", "kill")]),
        (
            "/dead",
            &[("id", "1|x"), ("minutes", "5"), ("do", "reschedule")],
        ),
        ("/busy", &[("do", "explode")]),
        ("/errors", &[("do", "retry"), ("sure", "yes")]),
        (
            "/api/jobs",
            &[("in", "dead"), ("id", "1|x"), ("do", "kill")],
        ),
    ] {
        let answer = site.post(path, form).await;
        assert!(
            answer.status.is_client_error() || answer.status == 303,
            "{path} {form:?}: {}",
            answer.status
        );
    }
    site.post("/retries", &[("id", "x"), ("do", "retry")])
        .await
        .is(404);
    assert_eq!(site.api().retries().size().await.unwrap(), 1);
    let answer = site.ask(posted("/", &[]).body(body(&[])).unwrap()).await;
    answer.is(405);
}

async fn a_form_has_no_more_fields_than_a_page(site: Site) {
    site.put(TimedSet::Dead, 60, r#"{"class":"A","args":[],"jid":"a"}"#)
        .await;
    let id = site.get("/dead").await.values("id").remove(0);
    let mut form = vec![("do", "delete"), ("sure", "yes")];
    form.extend(std::iter::repeat_n(("id", &*id), 1_000));
    site.post("/dead", &form).await.is(413);
    site.post("/api/jobs", &form).await.is(413);
    let long = "x".repeat(3 << 20);
    site.post("/dead", &[("id", &long)]).await.is(413);
    assert_eq!(site.api().dead().size().await.unwrap(), 1);
    // What is no form does nothing.
    let request = axum::http::Request::post("/dead")
        .header("content-type", "application/json")
        .body(axum::body::Body::from("{}"));
    let answer = site.ask(request.unwrap()).await;
    answer.is(415);
}

#[tokio::test(start_paused = true)]
async fn a_form_that_does_not_come_is_not_waited_for() {
    let site = Site::on(sancho_tests::Kind::Memory).await;
    let never = futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>();
    let request = posted("/queues", &[])
        .body(axum::body::Body::from_stream(never))
        .unwrap();
    site.ask(request).await.is(408);
}

async fn an_id_with_slashes_and_quotes_is_an_id(site: Site) {
    site.put(
        TimedSet::Retry,
        60,
        r#"{"class":"A","args":[],"jid":"a/b\"c|d-e?#"}"#,
    )
    .await;
    let page = site.get("/retries").await;
    let link = page.link("job?");
    site.get(&format!("/{link}"))
        .await
        .shows("a/b&quot;c|d-e?#");
    let id = page.values("id").remove(0);
    site.post_surely("/retries", &[("id", &id), ("do", "delete")])
        .await
        .shows("1 job deleted");
    assert_eq!(site.api().retries().size().await.unwrap(), 0);
}

async fn of_two_with_one_id_the_chosen_one_is_meant(site: Site) {
    site.put(
        TimedSet::Dead,
        60,
        r#"{"class":"A","args":[1],"jid":"same"}"#,
    )
    .await;
    site.put(
        TimedSet::Dead,
        60,
        r#"{"class":"A","args":[2],"jid":"same"}"#,
    )
    .await;
    let ids = site.get("/dead").await.values("id");
    assert_ne!(ids[0], ids[1]);
    site.post_surely("/dead", &[("id", &ids[1]), ("do", "delete")])
        .await
        .shows("1 job deleted");
    assert_eq!(site.get("/dead").await.values("id"), [ids[0].clone()]);
}

async fn an_argument_of_ten_megabytes_is_shown_in_part(site: Site) {
    let long = "x".repeat(10 << 20);
    site.push(
        "default",
        format!(r#"{{"class":"A","args":["{long}"],"jid":"big"}}"#),
    )
    .await;
    let page = site.get("/queue?name=default").await;
    page.is(200);
    assert!(page.text.len() < 100_000, "{}", page.text.len());
    let link = page.link("jid=big");
    let page = site.get(&format!("/{link}")).await;
    page.shows("10 MB");
    assert!(page.text.len() < 200_000, "{}", page.text.len());
    let payload = site
        .get(&format!("/{}", link.replace("job?", "payload?")))
        .await;
    assert!(payload.text.len() > 10 << 20);
    assert_eq!(
        payload.headers["content-disposition"],
        "attachment; filename=\"payload.json\""
    );
}

on_every_store! {
    what_others_wrote_is_escaped_everywhere
    what_is_not_there_is_said_and_nothing_is_done
    a_form_has_no_more_fields_than_a_page
    an_id_with_slashes_and_quotes_is_an_id
    of_two_with_one_id_the_chosen_one_is_meant
    an_argument_of_ten_megabytes_is_shown_in_part
}
