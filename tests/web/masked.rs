//! What is masked is shown nowhere, and found by nothing.

use sancho::store::TimedSet;
use sancho_tests::Kind;
use sancho_web::Options;

use crate::browser::{Site, encode};

const SECRET: &str = "hunter2-s3cret";

async fn site() -> Site {
    let options = Options::new()
        .trust_every_request()
        .mask(["password", "ssn"]);
    let site = Site::with(Kind::Memory, options).await;
    let job = |jid: &str| {
        serde_json::json!({
            "class": "SignUp", "args": [{"name": "ada", "password": SECRET}, {"user": {"ssn": 123_456_789}}], "jid": jid, "queue": "default",
            "tags": [format!("for-{SECRET}"), "vip"], "cattr": {"password": SECRET}, "created_at": 1_795_469_304_000_i64,
            "failed_at": 1_795_469_305_000_i64, "error_class": "app::BadPassword",
            "error_message": format!("the password {SECRET} of 123456789 is too short"), "error_backtrace": [format!("at {SECRET}")],
        })
        .to_string()
    };
    for set in TimedSet::ALL {
        site.put(set, 60, job(set.name())).await;
        site.put(set, 61, format!("{{bad {SECRET}")).await;
    }
    site.push("default", job("waits")).await;
    site.process("vm:7:abc", "\"default\"", false, Some(&job("runs")))
        .await;
    site
}

#[tokio::test]
async fn what_is_masked_is_shown_nowhere() {
    let site = site().await;
    let mut pages: Vec<String> = [
        "/",
        "/busy",
        "/queue?name=default",
        "/scheduled",
        "/retries",
        "/dead",
        "/errors",
        "/search?q=signup",
        "/search?q=state:dead",
        "/api/jobs?in=retries",
        "/api/jobs?in=dead",
        "/api/queue?name=default",
        "/api/errors",
        "/api/work",
        "/api/search?q=signup",
    ]
    .map(str::to_owned)
    .into();
    let mut seen = 0;
    while let Some(path) = pages.get(seen) {
        let page = site.get(path).await;
        page.is(200);
        for secret in [SECRET, "123456789"] {
            assert!(
                !page.text.contains(secret),
                "{path} shows {secret}: {}",
                page.text
            );
        }
        let links = page.text.split("href=\"").skip(1);
        let links = links.filter(|link| link.starts_with("job?"));
        let links: Vec<_> = links
            .map(|link| format!("/{}", link.split('"').next().unwrap().replace("&amp;", "&")))
            .flat_map(|link| [link.replace("/job?", "/payload?"), link])
            .filter(|link| !pages.contains(link))
            .collect();
        pages.extend(links);
        seen += 1;
    }
    assert!(seen > 20, "{pages:?}");
    site.get("/retries")
        .await
        .shows("the password [masked] of [masked] is too short");
}

#[tokio::test]
async fn what_is_masked_is_found_by_nothing() {
    let site = site().await;
    for text in [SECRET, "hunter2", "123456789"] {
        for query in [
            text.to_owned(),
            format!("args:{text}"),
            format!("error:{text}"),
            format!("args.0.password:{text}"),
        ] {
            let found = site
                .get(&format!("/api/search?q={}", encode(&query)))
                .await
                .json();
            assert_eq!(found["jobs"].as_array().unwrap().len(), 0, "{query}");
        }
        // Nor does what is left out tell of it.
        let found = site
            .get(&format!("/api/search?q=-args:{text}"))
            .await
            .json();
        assert_eq!(found["jobs"].as_array().unwrap().len(), 8, "{text}");
        let found = site
            .get(&format!("/api/jobs?in=retries&q={text}"))
            .await
            .json();
        assert_eq!(found["jobs"].as_array().unwrap().len(), 0);
        site.get(&format!("/retries?q={text}"))
            .await
            .shows("Nothing found");
        let form = [("do", "delete"), ("all", "yes"), ("q", text)];
        site.post_surely("/retries", &form).await.is(200);
    }
    assert_eq!(site.api().retries().size().await.unwrap(), 2);
    // What is not masked is found as ever.
    for (query, n) in [
        ("args:ada", 5),
        ("class:SignUp", 5),
        ("error:password", 3),
        ("tag:vip", 5),
    ] {
        let found = site.get(&format!("/api/search?q={query}")).await.json();
        assert!(
            found["jobs"].as_array().unwrap().len() >= n,
            "{query}: {found}"
        );
    }
    let text = encode(r#""args":[{"name":"ada""#);
    let found = site
        .get(&format!("/api/jobs?in=retries&q={text}"))
        .await
        .json();
    assert_eq!(found["jobs"].as_array().unwrap().len(), 1);
}
