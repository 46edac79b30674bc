//! What can be seen of a run: its metrics, its readiness, its spans and events, and that the guide names them all.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sancho::middleware::Trace;
use sancho::runtime::NotReady;
use sancho::store::TimedSet;
use sancho::{Outcome, job};
use tracing::field::{Field, Visit};
use tracing::span::Attributes;
use tracing::{Event, Id, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::{Layer, Registry};

use crate::harness::{Flow, Report, Running, flows};

/// The chapter that has the tables.
const GUIDE: &str = include_str!("../../runtime/src/guide/observing.md");

#[job(queue = "seen")]
async fn seen(how: String, #[state] to: &Report) -> Result<Outcome, String> {
    to.send(how.clone()).unwrap();
    match &*how {
        "fails" => Err("the mill is a giant".into()),
        "discards" => Ok(Outcome::Discard("no giant".into())),
        "dies" => Ok(Outcome::Dead("no mill".into())),
        "hangs" => std::future::pending().await,
        _ => Ok(Outcome::Done),
    }
}

/// The value of a line of a scrape.
fn value(text: &str, series: &str) -> Option<f64> {
    let line = text.lines().find(|line| {
        let rest = line.strip_prefix(series);
        rest.is_some_and(|rest| rest.starts_with(' '))
    })?;
    line[series.len() + 1..].parse().ok()
}

async fn a_run_is_counted(flow: Flow) {
    let (builder, mut reports) = flow.server();
    let server = builder.only::<seen>().queues(["seen"]).build().unwrap();
    let handle = server.handle();
    assert_eq!(handle.ready().await, Err(NotReady::Starting));
    let running = Running::run(server);
    handle.started().await;
    assert_eq!(handle.ready().await, Ok(()));
    let client = &flow.client;
    for how in ["succeeds", "fails", "succeeds", "dies"] {
        client
            .job("Seen")
            .queue("seen")
            .perform_async((how,))
            .await
            .unwrap();
        assert_eq!(reports.next().await, how);
    }
    let an_hour_ago = flow.now().before(Duration::from_secs(3_600)).as_millis();
    let waits = format!(r#"{{"class":"Seen","args":["later"],"enqueued_at":{an_hour_ago}}}"#);
    flow.push_raw("elsewhere", waits.as_bytes()).await;
    client
        .job("Nobodys")
        .queue("seen")
        .perform_async(())
        .await
        .unwrap();
    flow.until_timed(TimedSet::Retry, 2).await;
    let (ok, other) = (
        "{class=\"Seen\",queue=\"seen\"}",
        "{class=\"(other)\",queue=\"(other)\"}",
    );
    let expected = [
        (format!("sancho_jobs_processed_total{ok}"), 4.0),
        (format!("sancho_jobs_failed_total{ok}"), 2.0),
        (format!("sancho_job_duration_seconds_count{ok}"), 4.0),
        (format!("sancho_jobs_failed_total{other}"), 1.0),
        (format!("sancho_jobs_retried_total{ok}"), 1.0),
        (format!("sancho_jobs_retried_total{other}"), 1.0),
        (format!("sancho_jobs_died_total{ok}"), 1.0),
        (format!("sancho_jobs_died_total{other}"), 0.0),
        (format!("sancho_jobs_recovered_total{ok}"), 0.0),
        (format!("sancho_jobs_fenced_total{ok}"), 0.0),
        ("sancho_busy{capsule=\"default\"}".into(), 0.0),
        ("sancho_concurrency{capsule=\"default\"}".into(), 10.0),
        ("sancho_store_up".into(), 1.0),
        ("sancho_queue_jobs{queue=\"elsewhere\"}".into(), 1.0),
        ("sancho_set_jobs{set=\"retry\"}".into(), 2.0),
        ("sancho_store_errors_total".into(), 0.0),
    ];
    // What was seen of the store is shown for a second.
    flow.until("all of it is shown", || async {
        let text = handle.metrics_text().await;
        expected
            .iter()
            .all(|(series, expected)| value(&text, series) == Some(*expected))
    })
    .await;
    flow.until("the job that waits is seen to wait", || async {
        let text = handle.metrics_text().await;
        value(&text, "sancho_queue_latency_seconds{queue=\"elsewhere\"}") >= Some(3_600.0)
    })
    .await;
    let text = handle.metrics_text().await;
    assert!(
        value(&text, "sancho_store_request_duration_seconds_count") > Some(3.0),
        "{text}"
    );
    handle.quiet();
    assert_eq!(handle.ready().await, Err(NotReady::Quiet));
    running.stop().await;
    let text = handle.metrics_text().await;
    assert_eq!(
        value(&text, &format!("sancho_jobs_processed_total{ok}")),
        Some(4.0)
    );
}

async fn a_recovery_is_counted_for_its_class(flow: Flow) {
    let (builder, mut reports) = flow.server();
    let dying = Running::start(builder.only::<seen>().queues(["seen"]));
    let hanging = flow.client.job("Seen").queue("seen");
    hanging.perform_async(("hangs",)).await.unwrap();
    assert_eq!(reports.next().await, "hangs");
    dying.kill().await;
    flow.pass(Duration::from_secs(60));
    let (builder, mut reports) = flow.server();
    let server = builder.only::<seen>().queues(["seen"]).build().unwrap();
    let handle = server.handle();
    let running = Running::run(server);
    assert_eq!(reports.next().await, "hangs");
    let series = "sancho_jobs_recovered_total{class=\"Seen\",queue=\"seen\"}";
    let text = handle.metrics_text().await;
    assert_eq!(value(&text, series), Some(1.0), "{text}");
    running.kill().await;
}

flows! { a_run_is_counted a_recovery_is_counted_for_its_class }

/// Something that is said, as the tables of the guide show it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Said {
    level: String,
    text: String,
    fields: Vec<String>,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.fields.iter().map(|name| format!("`{name}`")).collect();
        write!(
            f,
            "| `{}` | {} | {} |",
            self.text,
            self.level,
            names.join(", ")
        )
    }
}

impl Said {
    /// Whether this text is what it says, where `…` is anything.
    fn is(&self, said: &str) -> bool {
        let mut parts = self.text.split('…');
        let Some(mut rest) = said.strip_prefix(parts.next().unwrap_or_default()) else {
            return false;
        };
        for part in parts {
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.is_empty() || self.text.ends_with('…')
    }
}

#[test]
fn the_guide_names_every_event_with_its_level_and_fields() {
    let mut said = BTreeSet::new();
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap();
        let (code, _) = text.split_once("#[cfg(test)]\nmod").unwrap_or((&text, ""));
        said.extend(events(code));
    }
    assert!(said.len() > 40, "only {} events found", said.len());
    let mut table = String::new();
    for level in ["error", "warn", "info", "debug"] {
        for event in said.iter().filter(|event| event.level == level) {
            writeln!(table, "{event}").unwrap();
        }
    }
    assert!(
        GUIDE.contains(&table),
        "the table of guide/observing.md is to be:\n{table}"
    );
}

#[tokio::test]
async fn a_run_says_what_the_guide_says() {
    let heard = Heard::default();
    let subscriber = Registry::default().with(heard.clone());
    // All of it is on this thread.
    let guard = tracing::subscriber::set_default(subscriber);
    run().await;
    drop(guard);
    let heard = heard.0.lock().unwrap();
    let rows: Vec<Said> = GUIDE.lines().filter_map(row).collect();
    for said in heard.iter() {
        let known = rows
            .iter()
            .any(|row| row.is(&said.text) && row.level == said.level && row.fields == said.fields);
        assert!(known, "the guide does not have {said}");
    }
    for text in [
        "start",
        "done",
        "fail: …",
        "sancho serves … jobs",
        "stopped",
        "execute",
        "job",
    ] {
        let row = rows.iter().find(|row| row.text == text).unwrap();
        assert!(
            heard.iter().any(|said| row.is(&said.text)),
            "{text} was not said: {heard:?}"
        );
    }
}

/// A server's life.
async fn run() {
    let flow = Flow::on(sancho_tests::Kind::Memory).await;
    let (builder, mut reports) = flow.server();
    let builder = builder
        .only::<seen>()
        .queues(["seen"])
        .middleware(Trace::new());
    let running = Running::start(builder);
    for how in ["succeeds", "fails", "discards"] {
        let payload = format!(
            r#"{{"class":"Seen","jid":"{how}","args":["{how}"],"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}}"#
        );
        flow.push_raw("seen", payload.as_bytes()).await;
        assert_eq!(reports.next().await, how);
    }
    flow.push_raw("seen", b"no job").await;
    flow.until_timed(TimedSet::Dead, 1).await;
    running.stop().await;
}

/// A row of a table.
fn row(line: &str) -> Option<Said> {
    let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
    let text = cells.next()?.trim_end_matches('`').to_owned();
    let level = cells.next()?.to_owned();
    let fields = cells.next()?.split(", ").filter(|name| !name.is_empty());
    let fields = fields
        .map(|name| name.trim_matches('`').to_owned())
        .collect();
    Some(Said {
        level,
        text,
        fields,
    })
}

/// What sancho said.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<Said>>>);

impl<S: Subscriber> Layer<S> for Heard {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        self.hear(event.metadata(), message.0);
    }

    fn on_new_span(&self, span: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let metadata = span.metadata();
        self.hear(metadata, metadata.name().to_owned());
    }
}

impl Heard {
    fn hear(&self, metadata: &Metadata<'_>, text: String) {
        if metadata.target().starts_with("sancho") {
            let fields = metadata
                .fields()
                .iter()
                .map(|field| field.name().to_owned());
            self.0.lock().unwrap().push(Said {
                level: metadata.level().as_str().to_lowercase(),
                text,
                fields: fields.filter(|name| name != "message").collect(),
            });
        }
    }
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

/// The library's files, without those of its tests.
fn sources() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime/src");
    let (mut found, mut folders) = (Vec::new(), vec![root]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("tests") {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") && !path.ends_with("tests.rs") {
                found.push(path);
            }
        }
    }
    found
}

/// The events that this code has. Those whose whole text is a warning of another place are not among them.
fn events(code: &str) -> Vec<Said> {
    let mut found = Vec::new();
    for level in ["error", "warn", "info", "debug"] {
        for (at, start) in code.match_indices(&format!("tracing::{level}!(")) {
            let arguments = arguments(&code[at + start.len()..]);
            let is_text = |it: &&String| it.starts_with('"');
            let text = arguments.iter().find(is_text).unwrap();
            let fields = arguments.iter().take_while(|it| !is_text(it));
            let text = pattern(text.trim_matches('"')).replace('`', "'");
            if text != "…" {
                found.push(Said {
                    level: level.to_owned(),
                    text,
                    fields: fields.map(|it| name(it)).collect(),
                });
            }
        }
    }
    found
}

/// The arguments of a macro, up to its end.
fn arguments(code: &str) -> Vec<String> {
    let (mut arguments, mut depth, mut quoted) = (vec![String::new()], 0, false);
    for part in code.chars() {
        match part {
            '"' => quoted = !quoted,
            '(' | '[' | '{' if !quoted => depth += 1,
            ')' if !quoted && depth == 0 => break,
            ')' | ']' | '}' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                arguments.push(String::new());
                continue;
            }
            _ => {}
        }
        arguments.last_mut().unwrap().push(part);
    }
    let trimmed = arguments.iter().map(|it| it.trim().to_owned());
    trimmed.filter(|it| !it.is_empty()).collect()
}

/// The name of a field: of `name = value`, `%name`, `?name`, `name`.
fn name(argument: &str) -> String {
    let name = argument.split('=').next().unwrap_or_default().trim();
    name.trim_start_matches(['%', '?']).to_owned()
}

/// A text with `…` for what is put in.
fn pattern(format: &str) -> String {
    let mut pattern = String::new();
    for (n, part) in format.split('{').enumerate() {
        match part.split_once('}') {
            Some((_, rest)) if n > 0 => {
                pattern.push('…');
                pattern.push_str(rest);
            }
            _ => pattern.push_str(part),
        }
    }
    pattern
}
