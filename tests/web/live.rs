//! Pages that stay current: one poller however many watch, which says when the store is away, and ends when nobody watches.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::http::Request;
use futures_util::StreamExt;
use tower::ServiceExt;

use sancho::api::Api;
use sancho::store::TimedSet;
use sancho::testing;
use sancho_tests::Kind;
use sancho_web::Options;

use crate::browser::{Site, failed, on_every_store};
use crate::counting::Counting;

/// A browser that watches.
struct Watch {
    body: BodyDataStream,
    text: String,
}

impl Watch {
    async fn on(site: &Site, path: &str) -> Self {
        Self::of(&site.router, path).await
    }

    async fn of(router: &Router, path: &str) -> Self {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert!(!response.headers().contains_key("content-encoding"));
        Self {
            body: response.into_body().into_data_stream(),
            text: String::new(),
        }
    }

    /// The next event of this name, as JSON.
    async fn next(&mut self, name: &str) -> serde_json::Value {
        let head = format!("event: {name}\ndata: ");
        let read = async {
            loop {
                if let Some((event, rest)) = self.text.split_once("\n\n") {
                    let (event, rest) = (event.to_owned(), rest.to_owned());
                    self.text = rest;
                    if let Some(data) = event.strip_prefix(&head) {
                        return serde_json::from_str(data).unwrap();
                    }
                    continue;
                }
                let chunk = self.body.next().await.expect("it goes on").unwrap();
                self.text.push_str(std::str::from_utf8(&chunk).unwrap());
            }
        };
        tokio::time::timeout(Duration::from_secs(20), read)
            .await
            .expect("an event comes")
    }
}

async fn numbers_and_content_are_sent_as_they_change(site: Site) {
    let mut first = Watch::on(&site, "/events?view=queues").await;
    let mut second = Watch::on(&site, "/events").await;
    let tick = first.next("tick").await;
    assert_eq!(tick["numbers"]["enqueued"], "0");
    assert!(tick["html"].as_str().unwrap().contains("No queues yet"));
    site.push("mailers", r#"{"class":"A","args":[],"jid":"a1"}"#)
        .await;
    let mut tick = first.next("tick").await;
    while tick["numbers"]["enqueued"] != "1" {
        tick = first.next("tick").await;
    }
    assert!(tick["html"].as_str().unwrap().contains("mailers"));
    // Nothing has changed since: the content is not sent again, unless its latency has.
    let mut tick = second.next("tick").await;
    while tick["numbers"]["enqueued"] != "1" {
        tick = second.next("tick").await;
    }
    assert!(tick["html"].is_null());
}

async fn each_view_has_what_it_needs(site: Site) {
    let job = r#"{"class":"WelcomeEmail","args":[42],"jid":"b7"}"#;
    site.process("vm:7:abc", "\"default\"", false, Some(job))
        .await;
    let mut busy = Watch::on(&site, "/events?view=busy").await;
    let mut dashboard = Watch::on(&site, "/events?view=dashboard").await;
    assert!(
        busy.next("tick").await["html"]
            .as_str()
            .unwrap()
            .contains("WelcomeEmail")
    );
    assert!(
        dashboard.next("tick").await["html"]
            .as_str()
            .unwrap()
            .contains("Last hour")
    );
}

async fn tables_are_sent_as_they_change(site: Site) {
    site.push("mailers", r#"{"class":"First","args":[],"jid":"a1"}"#)
        .await;
    site.put(TimedSet::Retry, 60, failed("r1", "ChargeCard", "declined"))
        .await;
    // The page names what its browser is to watch.
    for (page, shows) in [
        ("/queue?name=mailers", "First"),
        ("/queue?name=mailers&order=last", "First"),
        ("/retries", "ChargeCard"),
        ("/dead", "Nothing died"),
        ("/cron", "Nothing comes by itself"),
    ] {
        let view = site.get(page).await.view();
        let tick = Watch::on(&site, &format!("/events?view={view}"))
            .await
            .next("tick")
            .await;
        let html = tick["html"].as_str().unwrap();
        assert!(html.contains(shows), "{page}: {html}");
    }
    let view = site.get("/retries").await.view();
    let mut retries = Watch::on(&site, &format!("/events?view={view}")).await;
    assert!(retries.next("tick").await["html"].is_string());
    assert!(retries.next("tick").await["html"].is_null());
    site.put(TimedSet::Retry, 60, failed("r2", "SyncStock", "gone"))
        .await;
    let mut tick = retries.next("tick").await;
    while tick["html"].is_null() {
        tick = retries.next("tick").await;
    }
    assert!(tick["html"].as_str().unwrap().contains("SyncStock"));
    // Who has gone on, or filters, is left alone.
    for page in [
        "/retries?from=25",
        "/retries?q=declined",
        "/queue?name=mailers&from=5",
    ] {
        site.get(page).await.hides("data-current");
    }
}

impl crate::browser::Answer {
    /// What the page says that its browser is to watch.
    fn view(&self) -> String {
        self.shows("data-current");
        let (_, view) = self.text.split_once("data-view=\"").unwrap();
        view.split('"').next().unwrap().replace("&amp;", "&")
    }
}

/// How often the store is asked between two ticks that so many browsers are sent, each watching one of these views in turn.
async fn asked_in_a_tick(browsers: usize, views: &[&str]) -> u64 {
    let store = Site::on(Kind::Memory).await.fixture.handle();
    let store = Counting::over(store);
    let api = Api::new(&testing::client(store.clone()));
    let router = sancho_web::router_with(api, Options::new().trust_every_request());
    let mut watching = Vec::new();
    for view in views.iter().cycle().take(browsers) {
        watching.push(Watch::of(&router, &format!("/events?view={view}")).await);
    }
    let mut asked = 0;
    // The first may have been looked at before the last has come.
    for _ in 0..3 {
        store.take();
        for watch in &mut watching {
            watch.next("tick").await;
        }
        asked = store.take();
    }
    asked
}

#[tokio::test(start_paused = true)]
async fn a_hundred_browsers_cost_the_store_no_more_than_one() {
    for view in [
        "",
        "dashboard",
        "busy",
        "queues",
        "table&in=cron",
        "table&in=retries",
        "table&in=queue&name=mailers",
    ] {
        let one = asked_in_a_tick(1, &[view]).await;
        assert!(one > 0, "{view}");
        assert_eq!(asked_in_a_tick(100, &[view]).await, one, "{view}");
    }
    // Each watches another table: a few are looked at in a tick, however many they are.
    let views: Vec<String> = (0..100)
        .map(|n| format!("table&in=queue&name=q{n}"))
        .collect();
    let views: Vec<&str> = views.iter().map(|view| &**view).collect();
    let four = asked_in_a_tick(4, &views).await;
    assert_eq!(asked_in_a_tick(100, &views).await, four);
}

#[tokio::test]
async fn no_more_than_five_hundred_watch() {
    let site = Site::on(Kind::Memory).await;
    let mut watching = Vec::new();
    for _ in 0..500 {
        watching.push(Watch::on(&site, "/events").await);
    }
    site.get("/events").await.is(429);
    watching.pop();
    Watch::on(&site, "/events").await.next("tick").await;
}

on_every_store! {
    tables_are_sent_as_they_change
    numbers_and_content_are_sent_as_they_change
    each_view_has_what_it_needs
}
