//! The push and the run of a job, as OpenTelemetry sees them.

use opentelemetry::trace::{SpanKind, Status, TracerProvider as _};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use sancho::middleware::OpenTelemetry;
use sancho::store::TimedSet;
use sancho::{Client, Config, job};
use sancho_tests::Kind;
use tracing::level_filters::LevelFilter;
use tracing::{Instrument as _, info_span};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer as _, Registry};

use crate::harness::{Flow, Report, Running, field};

#[job]
async fn followed(
    how: String,
    #[state] to: &Report,
    #[state] client: &Client,
) -> Result<(), String> {
    let elsewhere = client.job("Elsewhere").queue("elsewhere");
    let push = elsewhere.perform_async(()).instrument(info_span!("work"));
    push.await.unwrap();
    to.send(how.clone()).unwrap();
    match &*how {
        "fails" => Err("the mill is a giant".into()),
        "panics" => panic!("a windmill"),
        _ => Ok(()),
    }
}

/// A subscriber with the layer of `tracing-opentelemetry`, and what it has exported.
fn seen() -> (tracing::subscriber::DefaultGuard, InMemorySpanExporter) {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder();
    let provider = provider.with_simple_exporter(exporter.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("tests"));
    let subscriber = Registry::default().with(layer.with_filter(LevelFilter::INFO));
    // All of it is on this thread.
    (tracing::subscriber::set_default(subscriber), exporter)
}

fn named(spans: &[SpanData], name: &str) -> Vec<SpanData> {
    let named = spans.iter().filter(|span| span.name == name);
    named.cloned().collect()
}

fn attribute(span: &SpanData, name: &str) -> Option<String> {
    let mut attributes = span.attributes.iter();
    let found = attributes.find(|it| it.key.as_str() == name);
    found.map(|it| it.value.to_string())
}

fn traceparent(span: &SpanData) -> String {
    let context = &span.span_context;
    format!("00-{}-{}-01", context.trace_id(), context.span_id())
}

#[tokio::test]
async fn a_push_and_its_run_are_spans_of_one_trace() {
    let (_guard, exporter) = seen();
    let flow = Flow::on(Kind::Memory).await;
    let config = Config::new().middleware(OpenTelemetry);
    let client = sancho::testing::client_with(flow.store().clone(), &config);
    let push = |how: &str| {
        let push = followed::set()
            .client(&client)
            .perform_async(how.to_owned());
        push.instrument(info_span!("request"))
    };
    push("succeeds").await.unwrap();
    let payload = flow.queue("default").await.remove(0);
    let (server, mut reports) = flow.server();
    let server = server.only::<followed>().state(client.clone());
    let running = Running::start(server.middleware(OpenTelemetry));
    assert_eq!(reports.next().await, "succeeds");
    running.stop().await;

    let spans = exporter.get_finished_spans().unwrap();
    let one = |name: &str| {
        let mut found = named(&spans, name);
        assert_eq!(found.len(), 1, "{name}: {spans:?}");
        found.remove(0)
    };
    let (request, create, process) = (
        one("request"),
        one("create default"),
        one("process default"),
    );
    let (work, next) = (one("work"), one("create elsewhere"));
    assert_eq!(
        field(payload.as_bytes(), "traceparent"),
        traceparent(&create)
    );
    for span in [&create, &process, &work, &next] {
        assert_eq!(
            span.span_context.trace_id(),
            request.span_context.trace_id()
        );
    }
    for (child, parent) in [
        (&create, &request),
        (&process, &create),
        (&work, &process),
        (&next, &work),
    ] {
        assert_eq!(
            child.parent_span_id,
            parent.span_context.span_id(),
            "{}",
            child.name
        );
    }
    assert!(process.parent_span_is_remote);
    let links: Vec<_> = process
        .links
        .iter()
        .map(|it| it.span_context.span_id())
        .collect();
    assert_eq!(links, [create.span_context.span_id()]);
    assert_eq!(
        (&create.span_kind, &process.span_kind),
        (&SpanKind::Producer, &SpanKind::Consumer)
    );
    assert_eq!(process.status, Status::Unset);
    let jid = field(payload.as_bytes(), "jid");
    for (span, operation) in [(&create, "create"), (&process, "process")] {
        for (name, value) in [
            ("messaging.system", "sidekiq"),
            ("messaging.operation.name", operation),
            ("messaging.operation.type", operation),
            ("messaging.destination.name", "default"),
            ("messaging.message.id", jid.as_str().unwrap()),
            ("messaging.sidekiq.job_class", "Followed"),
        ] {
            assert_eq!(attribute(span, name).as_deref(), Some(value), "{name}");
        }
    }
}

#[tokio::test]
async fn a_run_that_fails_or_panics_has_the_status_of_an_error_and_its_next_try_the_same_parent() {
    let (_guard, exporter) = seen();
    let flow = Flow::on(Kind::Memory).await;
    let config = Config::new().middleware(OpenTelemetry);
    let client = sancho::testing::client_with(flow.store().clone(), &config);
    let (server, mut reports) = flow.server();
    let server = server.only::<followed>().state(client.clone());
    let running = Running::start(server.middleware(OpenTelemetry));
    for how in ["fails", "panics"] {
        let set = followed::set().client(&client);
        set.perform_async(how.to_owned()).await.unwrap();
        assert_eq!(reports.next().await, how);
    }
    flow.until_timed(TimedSet::Retry, 2).await;
    running.stop().await;

    let spans = exporter.get_finished_spans().unwrap();
    let (creates, processes) = (
        named(&spans, "create default"),
        named(&spans, "process default"),
    );
    assert_eq!(processes.len(), 2);
    for (span, description) in processes.iter().zip(["the mill is a giant", "it panicked"]) {
        let Status::Error { description: said } = &span.status else {
            panic!("{:?}", span.status);
        };
        assert!(said.contains(description), "{said}");
    }
    assert_eq!(
        attribute(&processes[0], "error.type").as_deref(),
        Some("String")
    );
    for entry in flow.timed(TimedSet::Retry).await {
        let args = field(&entry.payload, "args");
        let create = &creates[usize::from(args[0] == "panics")];
        assert_eq!(field(&entry.payload, "traceparent"), traceparent(create));
    }
}

#[tokio::test]
async fn what_was_pushed_in_no_trace_runs_in_one_of_its_own() {
    let flow = Flow::on(Kind::Memory).await;
    let config = Config::new().middleware(OpenTelemetry);
    let client = sancho::testing::client_with(flow.store().clone(), &config);
    // Nobody listens: nothing is written.
    client.push("Elsewhere", ()).await.unwrap();
    assert!(!flow.queue("default").await[0].contains("trace"));

    let (_guard, exporter) = seen();
    let set = client.job("Elsewhere").field("traceparent", "mine");
    set.perform_async(()).await.unwrap();
    let pushed = flow.queue("default").await;
    assert!(
        pushed
            .iter()
            .any(|payload| payload.contains("\"traceparent\":\"mine\"")),
        "{pushed:?}"
    );
    assert!(exporter.get_finished_spans().unwrap().is_empty());

    let (server, mut reports) = flow.server();
    let server = server
        .only::<followed>()
        .queues(["followed"])
        .state(client.clone());
    let running = Running::start(server.middleware(OpenTelemetry));
    flow.push_raw(
        "followed",
        br#"{"class":"Followed","args":["raw"],"jid":"a","traceparent":"00-xyz"}"#,
    )
    .await;
    assert_eq!(reports.next().await, "raw");
    running.stop().await;
    let spans = exporter.get_finished_spans().unwrap();
    let process = named(&spans, "process followed").remove(0);
    assert_eq!(process.parent_span_id.to_string(), "0000000000000000");
    assert!(process.links.is_empty());
}
