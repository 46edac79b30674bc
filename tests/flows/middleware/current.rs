//! What is current at a push, and at its run: values and traces.

use sancho::middleware::{Current, Trace, TraceContext};
use sancho::store::TimedSet;
use sancho::{Client, Config, current, job};
use serde::{Deserialize, Serialize};

use super::wrapped;
use crate::harness::{Flow, Report, Running, field, flows};

#[derive(Serialize, Deserialize)]
struct Tenant(u32);

fn tenant() -> String {
    match current::get::<Tenant>() {
        Some(tenant) => format!("tenant {}", tenant.0),
        None => "no tenant".into(),
    }
}

#[job]
async fn of_tenant(#[state] to: &Report, #[state] client: &Client) {
    to.send(tenant()).unwrap();
    let set = || of_tenant_blocking::set().client(client);
    set().queue("elsewhere").perform_async().await.unwrap();
    set().perform_async().await.unwrap();
}

#[job]
fn of_tenant_blocking(#[state] to: &Report) {
    to.send(format!("blocking {}", tenant())).unwrap();
}

async fn current_values_go_on_from_push_to_run(flow: Flow) {
    let values = Current::new().carry::<Tenant>("tenant");
    let config = Config::new().middleware(values.clone());
    let client = sancho::testing::client_with(flow.store().clone(), &config);
    let (server, mut reports) = flow.server();
    let server = server
        .only::<of_tenant>()
        .only::<of_tenant_blocking>()
        .state(client.clone())
        .middleware(values);
    let running = Running::start(server);
    let push = of_tenant::set().client(&client).perform_async();
    current::scope(Tenant(7), push).await.unwrap();
    assert_eq!(reports.some(2).await, ["tenant 7", "blocking tenant 7"]);
    of_tenant::set()
        .client(&client)
        .perform_async()
        .await
        .unwrap();
    assert_eq!(reports.some(2).await, ["no tenant", "blocking no tenant"]);

    // What another program carries goes on as it is.
    flow.push_raw(
        "default",
        br#"{"class":"OfTenant","args":[],"jid":"a","sancho_current":{"big":12345678901234567890123,"tenant":8}}"#,
    )
    .await;
    assert_eq!(reports.some(2).await, ["tenant 8", "blocking tenant 8"]);
    let pushed = flow.queue("elsewhere").await;
    assert!(
        pushed[2].contains(r#""sancho_current":{"big":12345678901234567890123,"tenant":8}"#),
        "{pushed:?}"
    );
    assert!(!pushed[1].contains("sancho_current"), "{pushed:?}");

    flow.push_raw(
        "default",
        br#"{"class":"OfTenant","args":[],"jid":"b","sancho_current":{"tenant":"eight"}}"#,
    )
    .await;
    let retry = flow.until_timed(TimedSet::Retry, 1).await;
    assert_eq!(
        field(&retry[0].payload, "error_class"),
        "sancho::CurrentError"
    );
    running.stop().await;
    assert!(reports.is_silent());
}

#[derive(Serialize, Deserialize)]
struct Share(f64);

async fn a_current_value_that_is_no_json_stops_the_push(flow: Flow) {
    let config = Config::new().middleware(Current::new().carry::<Share>("share"));
    let client = sancho::testing::client_with(flow.store().clone(), &config);
    let push = wrapped::set().client(&client).perform_async(1);
    let error = current::scope(Share(f64::NAN), push).await.unwrap_err();
    assert!(
        error.to_string().contains("\"share\" cannot be carried"),
        "{error}"
    );
    assert!(flow.queue("default").await.is_empty());
}

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[job]
async fn traced(#[state] to: &Report, #[state] client: &Client) {
    let context = current::get::<TraceContext>();
    let told = context.map_or("no trace".into(), |context| context.to_string());
    to.send(told).unwrap();
    let set = wrapped::set().client(client).queue("elsewhere");
    set.perform_async(1).await.unwrap();
}

async fn a_trace_goes_on_from_push_to_run(flow: Flow) {
    let config = Config::new().middleware(Trace::new());
    let client = sancho::testing::client_with(flow.store().clone(), &config);
    let context = TraceContext::parse(PARENT, Some("vendor=1")).unwrap();
    let push = traced::set().client(&client).perform_async();
    current::scope(context.clone(), push).await.unwrap();
    let pushed = flow.queue("default").await;
    assert_eq!(field(pushed[0].as_bytes(), "traceparent"), PARENT);
    assert_eq!(field(pushed[0].as_bytes(), "tracestate"), "vendor=1");

    let (server, mut reports) = flow.server();
    // One after the other, so that what they push stands in their order.
    let server = server.only::<traced>().concurrency(1);
    let server = server.state(client.clone()).middleware(Trace::new());
    let running = Running::start(server);
    let run = reports.next().await;
    let run = TraceContext::parse(&run, None).unwrap();
    assert_eq!(run.trace_id(), context.trace_id());
    assert_ne!(run.span_id(), context.span_id());
    assert!(run.is_sampled());

    for raw in ["", r#","traceparent":"00-xyz""#, r#","traceparent":7"#] {
        let payload = format!(r#"{{"class":"Traced","args":[],"jid":"a"{raw}}}"#);
        flow.push_raw("default", payload.as_bytes()).await;
        assert_eq!(reports.next().await, "no trace");
    }
    running.stop().await;
    let pushed = flow.queue("elsewhere").await;
    assert_eq!(field(pushed[0].as_bytes(), "traceparent"), run.to_string());
    assert_eq!(field(pushed[0].as_bytes(), "tracestate"), "vendor=1");
    assert!(!pushed[1].contains("trace"), "{pushed:?}");
}

async fn a_source_says_what_is_current(flow: Flow) {
    let source = || TraceContext::parse(PARENT, None);
    let config = Config::new().middleware(Trace::new().source(source));
    let client = sancho::testing::client_with(flow.store().clone(), &config);
    client.push("Ruby", ()).await.unwrap();
    let set = client.job("Ruby").field("traceparent", "mine");
    set.perform_async(()).await.unwrap();
    let pushed = flow.queue("default").await;
    assert_eq!(field(pushed[0].as_bytes(), "traceparent"), PARENT);
    assert_eq!(field(pushed[1].as_bytes(), "traceparent"), "mine");
}

flows! {
    current_values_go_on_from_push_to_run
    a_current_value_that_is_no_json_stops_the_push
    a_trace_goes_on_from_push_to_run
    a_source_says_what_is_current
}
