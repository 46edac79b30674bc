//! Pages that stay current: one poller however many watch, which says when the store is away, and ends when nobody watches.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::Request;
use futures_util::StreamExt;
use tower::ServiceExt;

use crate::browser::{Site, on_every_store};

/// A browser that watches.
struct Watch {
    body: BodyDataStream,
    text: String,
}

impl Watch {
    async fn on(site: &Site, path: &str) -> Self {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = site.router.clone().oneshot(request).await.unwrap();
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

on_every_store! {
    numbers_and_content_are_sent_as_they_change
    each_view_has_what_it_needs
}
