//! Pushes of jobs by their class, as those of Ruby's are pushed.

use std::time::Duration;

use sancho::job;
use sancho::store::TimedSet;

use crate::harness::{Flow, Report, Running, field, flows};

#[job(class = "ByClass")]
async fn reports(n: i64, #[state] to: &Report) {
    to.send(n.to_string()).unwrap();
}

async fn a_class_without_a_function_is_pushed(flow: Flow) {
    let client = &flow.client;
    let jid = client.push("HardJob", (1, "two")).await.unwrap();
    let payload = &flow.queue("default").await[0];
    let start = format!(
        r#"{{"retry":true,"queue":"default","args":[1,"two"],"class":"HardJob","jid":"{jid}","created_at":"#
    );
    assert!(payload.starts_with(&start), "{payload}");

    let hard = client
        .job("HardJob")
        .queue("critical")
        .retry(5)
        .tags(["vip"])
        .display_class("Hard!")
        .field("locale", "fr");
    hard.perform_async(vec![1.0, 1e20]).await.unwrap();
    hard.perform_async(()).await.unwrap();
    let payloads = flow.queue("critical").await;
    for (payload, args) in payloads.iter().zip(["[1.0,1.0e+20]", "[]"]) {
        let start = format!(
            r#"{{"retry":5,"queue":"critical","tags":["vip"],"display_class":"Hard!","locale":"fr","args":{args},"class":"HardJob","#
        );
        assert!(payload.starts_with(&start), "{payload}");
    }
    assert_ne!(
        field(payloads[0].as_bytes(), "jid"),
        field(payloads[1].as_bytes(), "jid")
    );

    hard.perform_in(Duration::from_secs(60), [2]).await.unwrap();
    let at = chrono::Utc::now() + chrono::Days::new(1);
    hard.perform_at(at, [3]).await.unwrap();
    let scheduled = flow.timed(TimedSet::Schedule).await;
    assert_eq!(field(&scheduled[0].payload, "args"), serde_json::json!([2]));
    assert_eq!(scheduled[1].at, Some(at.into()));

    let ids = client
        .push_bulk("Many", (0..3).map(|n| (n, "x")))
        .await
        .unwrap();
    let payloads = flow.queue("default").await;
    assert_eq!(payloads.len(), 4);
    assert_eq!(field(payloads[3].as_bytes(), "jid"), ids[2].as_str());
    assert_eq!(
        field(payloads[3].as_bytes(), "args"),
        serde_json::json!([2, "x"])
    );
}

async fn the_default_client_pushes_where_the_server_works(flow: Flow) {
    let (server, mut reports) = flow.server();
    let running = Running::start(server.only::<reports>());
    reports::set()
        .client(&flow.client)
        .perform_async(1)
        .await
        .unwrap();
    assert_eq!(reports.next().await, "1");
    sancho::client().push("ByClass", (2,)).await.unwrap();
    assert_eq!(reports.next().await, "2");
    sancho::client()
        .push_bulk("ByClass", [[3], [4]])
        .await
        .unwrap();
    assert_eq!(reports.some(2).await.len(), 2);
    running.stop().await;
}

flows! {
    a_class_without_a_function_is_pushed
    the_default_client_pushes_where_the_server_works
}
