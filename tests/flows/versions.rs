//! Arguments of older versions.

use sancho::store::TimedSet;
use sancho::{Context, Outcome, job};
use serde::{Deserialize, Serialize};

use crate::harness::{Flow, Report, Running, field, flows};

#[derive(Debug, Serialize, Deserialize)]
enum Currency {
    Euro,
    Yen,
}

/// An id, as a number.
#[derive(Deserialize)]
struct OrderV1(u64);

/// The currency as text, which may be missing.
#[derive(Deserialize)]
struct OrderV2 {
    id: u64,
    #[serde(default)]
    currency: Option<String>,
}

impl From<OrderV1> for (String, Currency) {
    fn from(OrderV1(id): OrderV1) -> Self {
        (format!("order-{id}"), Currency::Euro)
    }
}

impl From<OrderV2> for (String, Currency) {
    fn from(OrderV2 { id, currency }: OrderV2) -> Self {
        match currency.as_deref() {
            Some("JPY") => (format!("order-{id}"), Currency::Yen),
            Some("???") => panic!("no such currency"),
            _ => OrderV1(id).into(),
        }
    }
}

#[job(version = 3, from(OrderV2, OrderV1), retry = 0, aliases = ["BookOrder"])]
async fn order(id: String, currency: Currency, #[state] to: &Report) -> Outcome {
    to.send(format!("{id} {currency:?}")).unwrap();
    Outcome::Done
}

#[job(version = 3, from(OrderV2), retry = 0, class = "RecentOrder")]
async fn recent(id: String, currency: Currency) -> Result<(), String> {
    Err(format!("{id} {currency:?}"))
}

#[job(retry = 0)]
async fn plain(_id: u64) {}

/// The version of nothing: one that was pushed without arguments.
#[derive(Deserialize)]
struct Nothing;

impl From<Nothing> for (u8,) {
    fn from(Nothing: Nothing) -> Self {
        (7,)
    }
}

#[job(version = 2, from(Nothing))]
async fn grown(n: u8, #[state] to: &Report, #[context] cx: &Context) {
    to.send(format!("{} {n}", cx.attempt())).unwrap();
}

fn payload(class: &str, args: &str, version: &str) -> String {
    format!(r#"{{"class":"{class}","args":{args},"jid":"1"{version}}}"#)
}

async fn a_push_says_its_version(flow: Flow) {
    let push = order::set().client(&flow.client);
    push.perform_async("order-7".into(), Currency::Yen)
        .await
        .unwrap();
    plain::set()
        .client(&flow.client)
        .perform_async(7)
        .await
        .unwrap();
    flow.client
        .job("Order")
        .version(2)
        .perform_async((7, "JPY"))
        .await
        .unwrap();
    let queue = flow.queue("default").await;
    let mut versions: Vec<_> = queue
        .iter()
        .map(|payload| field(payload.as_bytes(), "sancho_version").to_string())
        .collect();
    versions.sort();
    assert_eq!(versions, ["2", "3", "null"]);
}

async fn older_arguments_become_those_of_today(flow: Flow) {
    for (args, version, expected) in [
        (
            r#"["order-7","Yen"]"#,
            r#","sancho_version":3"#,
            "order-7 Yen",
        ),
        (r#"[7,"JPY"]"#, r#","sancho_version":2"#, "order-7 Yen"),
        ("[7]", r#","sancho_version":2"#, "order-7 Euro"),
        ("[7]", r#","sancho_version":1"#, "order-7 Euro"),
        ("[7]", "", "order-7 Euro"),
    ] {
        for class in ["Order", "BookOrder"] {
            let (server, mut reports) = flow.server();
            let running = Running::start(server.only::<order>());
            flow.push_raw("default", payload(class, args, version).as_bytes())
                .await;
            assert_eq!(reports.next().await, expected, "{args}{version}");
            running.stop().await;
        }
    }
}

async fn a_job_may_have_had_no_arguments(flow: Flow) {
    let (server, mut reports) = flow.server();
    let running = Running::start(server.only::<grown>());
    flow.push_raw("default", payload("Grown", "[]", "").as_bytes())
        .await;
    assert_eq!(reports.next().await, "1 7");
    grown::set()
        .client(&flow.client)
        .perform_async(8)
        .await
        .unwrap();
    assert_eq!(reports.next().await, "1 8");
    running.stop().await;
}

async fn what_cannot_be_read_names_its_version(flow: Flow) {
    for (class, args, version, expected) in [
        (
            "Order",
            "[7]",
            3,
            "in arguments of version 3: argument `id` (1st of 2, `String`): invalid type: integer `7`, expected a string",
        ),
        (
            "Order",
            r#"["x"]"#,
            2,
            "in arguments of version 2: invalid type: string \"x\", expected u64",
        ),
        (
            "Order",
            "[1,2]",
            1,
            "in arguments of version 1: trailing characters",
        ),
        (
            "Order",
            "[7]",
            4,
            "the arguments are of version 4, and `order` reads versions 1 to 3: a program that is newer pushed it, and can run it",
        ),
        (
            "Order",
            "[7]",
            0,
            "the arguments are of version 0, and `order` reads versions 1 to 3: add the type of its arguments to `from(..)` to run it",
        ),
        (
            "RecentOrder",
            "[7]",
            1,
            "the arguments are of version 1, and `recent` reads versions 2 to 3: add the type of its arguments to `from(..)` to run it",
        ),
        (
            "Plain",
            "[7]",
            2,
            "the arguments are of version 2, and `plain` reads version 1: a program that is newer pushed it, and can run it",
        ),
    ] {
        let (server, _reports) = flow.server();
        let server = server.only::<order>().only::<recent>().only::<plain>();
        let payload = format!(
            r#"{{"class":"{class}","args":{args},"jid":"1","retry":0,"sancho_version":{version}}}"#
        );
        let running = Running::start(server);
        let before = flow.timed(TimedSet::Dead).await.len();
        flow.push_raw("default", payload.as_bytes()).await;
        let dead = flow.until_timed(TimedSet::Dead, before + 1).await;
        running.stop().await;
        let messages: Vec<_> = dead
            .iter()
            .map(|entry| field(&entry.payload, "error_message"))
            .collect();
        assert!(
            messages.iter().any(|message| message == expected),
            "{messages:#?}\n{expected}"
        );
        let args: serde_json::Value = serde_json::from_str(args).unwrap();
        assert!(
            dead.iter()
                .any(|entry| field(&entry.payload, "args") == args)
        );
    }
}

async fn a_conversion_that_panics_fails_the_job(flow: Flow) {
    let (server, _reports) = flow.server();
    let running = Running::start(server.only::<order>());
    let payload = payload("Order", r#"[7,"???"]"#, r#","retry":0,"sancho_version":2"#);
    flow.push_raw("default", payload.as_bytes()).await;
    let dead = flow.until_timed(TimedSet::Dead, 1).await;
    assert_eq!(field(&dead[0].payload, "error_class"), "sancho::Panic");
    running.stop().await;
}

async fn a_version_stays_through_a_failure(flow: Flow) {
    let (server, _reports) = flow.server();
    let running = Running::start(server.only::<recent>());
    let payload = payload(
        "RecentOrder",
        r#"[7,"JPY"]"#,
        r#","retry":5,"sancho_version":2"#,
    );
    flow.push_raw("default", payload.as_bytes()).await;
    let retry = flow.until_timed(TimedSet::Retry, 1).await;
    assert_eq!(field(&retry[0].payload, "error_message"), "order-7 Yen");
    assert_eq!(field(&retry[0].payload, "sancho_version"), 2);
    running.stop().await;
}

flows! {
    a_push_says_its_version
    older_arguments_become_those_of_today
    a_job_may_have_had_no_arguments
    what_cannot_be_read_names_its_version
    a_conversion_that_panics_fails_the_job
    a_version_stays_through_a_failure
}
