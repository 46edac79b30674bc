//! The same as JSON.

use sancho::store::{Effect, Stat, TimedSet};
use sancho_tests::Kind;
use serde_json::json;

use crate::browser::{Site, failed, on_every_store};

async fn stats_are_as_sidekiqs(site: Site) {
    site.fixture
        .apply(vec![
            Effect::Count(Stat::Processed, 12),
            Effect::Count(Stat::Failed, 3),
        ])
        .await;
    site.push("default", r#"{"class":"A","args":[],"jid":"a1"}"#)
        .await;
    let stats = site.get("/stats").await.json();
    assert_eq!(stats["sidekiq"]["processed"], 12);
    assert_eq!(stats["sidekiq"]["enqueued"], 1);
    assert!(stats["sidekiq"]["default_latency"].is_number());
    assert!(stats["server_utc_time"].as_str().unwrap().ends_with(" UTC"));
    assert_eq!(
        site.get("/stats/queues").await.json(),
        json!({"default": 1})
    );
    let stats = site.get("/api/stats").await.json();
    assert_eq!(
        (&stats["failed"], &stats["enqueued"]),
        (&json!(3), &json!(1))
    );
    let days = site.get("/api/history?days=2").await.json();
    assert_eq!(days["days"][0]["processed"], 12);
}

async fn everything_can_be_read(site: Site) {
    site.put(
        TimedSet::Retry,
        60,
        failed("r1", "ChargeCard", "declined for order 17"),
    )
    .await;
    site.push(
        "default",
        r#"{"class":"A","args":[12345678901234567890],"jid":"a1"}"#,
    )
    .await;
    let job = r#"{"class":"A","args":[],"jid":"b7"}"#;
    site.process("vm:7:abc", "\"default\"", false, Some(job))
        .await;
    let jobs = site.get("/api/jobs?in=retries").await.json();
    assert_eq!(jobs["jobs"][0]["error_message"], "declined for order 17");
    assert_eq!(jobs["jobs"][0]["in"], "retry");
    let id = jobs["jobs"][0]["id"].as_str().unwrap().replace('|', "%7C");
    assert_eq!(
        site.get(&format!("/api/job?in=retry&id={id}")).await.json()["jid"],
        "r1"
    );
    let jobs = site.get("/api/jobs?in=retry&q=declined").await.json();
    assert_eq!(jobs["jobs"].as_array().unwrap().len(), 1);
    let queue = site.get("/api/queue?name=default").await.json();
    assert_eq!(queue["jobs"][0]["args"], json!(["12345678901234567890"]));
    let queues = site.get("/api/queues").await.json();
    assert_eq!(queues["queues"][0]["served"], true);
    assert_eq!(
        site.get("/api/processes").await.json()["processes"][0]["pid"],
        7
    );
    assert_eq!(
        site.get("/api/work").await.json()["work"][0]["job"]["jid"],
        "b7"
    );
    assert_eq!(
        site.get("/api/errors").await.json()["groups"][0]["retrying"],
        1
    );
    assert_eq!(site.get("/api/metrics?hours=4").await.json()["steps"], 240);
}

async fn everything_can_be_done(site: Site) {
    site.put(TimedSet::Retry, 60, failed("r1", "ChargeCard", "declined"))
        .await;
    site.put(TimedSet::Retry, 61, failed("r2", "ChargeCard", "declined"))
        .await;
    site.push("low", r#"{"class":"A","args":[],"jid":"a1"}"#)
        .await;
    site.process("vm:7:abc", "\"default\"", false, None).await;
    let jobs = site.get("/api/jobs?in=retry").await.json();
    let id = |n: usize| jobs["jobs"][n]["id"].as_str().unwrap().to_owned();
    let done = |answer: &crate::browser::Answer| answer.is(200).json()["done"].as_bool().unwrap();
    let kill = site
        .post(
            "/api/jobs",
            &[("in", "retry"), ("id", &id(0)), ("do", "kill")],
        )
        .await;
    assert!(done(&kill));
    let again = site
        .post(
            "/api/jobs",
            &[("in", "retry"), ("id", &id(0)), ("do", "kill")],
        )
        .await;
    assert!(!done(&again));
    assert!(done(
        &site
            .post(
                "/api/jobs",
                &[("in", "retry"), ("id", &id(1)), ("do", "retry")]
            )
            .await
    ));
    assert!(done(
        &site
            .post(
                "/api/queue",
                &[("name", "low"), ("jid", "a1"), ("do", "delete")]
            )
            .await
    ));
    assert!(done(
        &site
            .post("/api/queues", &[("name", "low"), ("do", "pause")])
            .await
    ));
    assert!(done(
        &site
            .post(
                "/api/processes",
                &[("process", "vm:7:abc"), ("do", "quiet")]
            )
            .await
    ));
    let cancelled = site.post("/api/cancel", &[("jid", "x")]).await;
    assert_eq!(cancelled.is(200).json()["became"], "gone");
    site.push("low", r#"{"class":"A","args":[],"jid":"x"}"#)
        .await;
    let cancelled = site.post("/api/cancel", &[("jid", "x")]).await;
    assert_eq!(cancelled.json()["became"], "removed");
    let stats = site.api().stats().await.unwrap();
    assert_eq!((stats.retries, stats.dead, stats.enqueued), (0, 1, 1));
}

#[tokio::test]
async fn errors_are_json() {
    let site = Site::on(Kind::Memory).await;
    for (path, status) in [
        ("/api/nothing", 404),
        ("/api/queue", 422),
        ("/api/job?in=x&id=y", 404),
    ] {
        let answer = site.get(path).await;
        answer.is(status);
        assert!(answer.json()["detail"].is_string(), "{}", answer.text);
    }
}

/// Each path that is described is there, and each that is there is described.
#[tokio::test]
async fn the_description_is_true() {
    let site = Site::on(Kind::Memory).await;
    let described = site.get("/api/openapi.json").await.json();
    let paths = described["paths"].as_object().unwrap();
    assert_eq!(described["openapi"], "3.1.0");
    for (path, methods) in paths {
        for method in methods.as_object().unwrap().keys() {
            let answer = if method == "get" {
                site.get(path).await
            } else {
                site.post(path, &[]).await
            };
            assert_ne!(answer.status, 405, "{method} {path}");
            let missing = answer.text.contains("There is no page");
            assert!(!missing, "{method} {path}: {}", answer.text);
        }
    }
    let source = include_str!("../../web/src/rest.rs");
    for route in source.split(".route(\"").skip(1) {
        let path = format!("/api{}", route.split('"').next().unwrap());
        assert!(
            path == "/api/openapi.json" || paths.contains_key(&path),
            "{path}"
        );
    }
}

on_every_store! {
    stats_are_as_sidekiqs
    everything_can_be_read
    everything_can_be_done
}
