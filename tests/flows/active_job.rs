//! What Rails pushed: ActiveJob's payloads, run by the job of the wrapped class.

use chrono::{DateTime, Utc};
use sancho::engine::{Execution, Middleware, Next};
use sancho::store::TimedSet;
use sancho::{Failure, GlobalId, Outcome, job};
use serde::{Deserialize, Serialize};

use crate::harness::{Flow, Report, Running, field, flows};

/// As Rails 6.1 pushes to Sidekiq 6.
const RAILS_6: &str = r#"{"retry":true,"queue":"default","class":"ActiveJob::QueueAdapters::SidekiqAdapter::JobWrapper","wrapped":"NotificationJob","args":[{"job_class":"NotificationJob","job_id":"f1bde53f-3852-4ae4-a879-c12eacebbbb0","provider_job_id":null,"queue_name":"default","priority":null,"arguments":[{"_aj_globalid":"gid://shop/User/42"},{"note":"hi","at":{"_aj_serialized":"ActiveJob::Serializers::TimeWithZoneSerializer","value":"2026-11-24T08:37:03.500000000Z"},"wait":{"_aj_serialized":"ActiveJob::Serializers::DurationSerializer","value":5400,"parts":[[{"_aj_serialized":"ActiveJob::Serializers::SymbolSerializer","value":"seconds"},5400]]},"_aj_ruby2_keywords":["note","at","wait"]}],"executions":0,"exception_executions":{},"locale":"en","timezone":"UTC","enqueued_at":"2026-11-24T08:37:03Z"}],"jid":"099eee72911085a511d0e312","created_at":1795469481.0779636,"enqueued_at":1795469481.0780618}"#;

/// As Rails 8 pushes to Sidekiq 8.
const RAILS_8: &str = r#"{"retry":true,"queue":"default","wrapped":"NotificationJob","args":[{"job_class":"NotificationJob","job_id":"19cc0115-3d1c-4bbe-a51e-bfa1385895d1","provider_job_id":null,"queue_name":"default","priority":null,"arguments":[{"_aj_globalid":"gid://shop/User/43"},{"note":"ho","at":{"_aj_serialized":"ActiveJob::Serializers::TimeWithZoneSerializer","value":"2026-11-24T08:37:04.500000000Z","time_zone":"Europe/London"},"wait":{"_aj_serialized":"ActiveJob::Serializers::DurationSerializer","value":1.5,"parts":[]},"_aj_symbol_keys":["note","at","wait"]}],"executions":0,"exception_executions":{},"locale":"en","timezone":"UTC","enqueued_at":"2026-11-24T08:37:04.488000000Z","scheduled_at":null}],"class":"Sidekiq::ActiveJob::Wrapper","jid":"37436e5504936400e8cf98db","created_at":1795469264488,"enqueued_at":1795469264488}"#;

#[derive(Serialize, Deserialize)]
struct Options {
    note: String,
    at: DateTime<Utc>,
    wait: f64,
}

#[job(class = "NotificationJob")]
async fn notification(
    user: GlobalId,
    options: Options,
    #[state] to: &Report,
) -> Result<(), String> {
    let Options { note, at, wait } = options;
    let (model, id) = (user.model(), user.id());
    to.send(format!("{model} {id} {note} {} {wait}", at.to_rfc3339()))
        .unwrap();
    Err("no mail".into())
}

struct Watching(Report);

impl Middleware for Watching {
    async fn call(&self, job: &Execution<'_>, next: Next<'_>) -> Result<Outcome, Failure> {
        self.0.send(job.class().to_owned()).unwrap();
        next.run().await
    }
}

async fn the_job_of_the_wrapped_class_runs(flow: Flow) {
    for (payload, report) in [
        (RAILS_6, "User 42 hi 2026-11-24T08:37:03.500+00:00 5400"),
        (RAILS_8, "User 43 ho 2026-11-24T08:37:04.500+00:00 1.5"),
    ] {
        let (server, mut reports) = flow.server();
        let (seen, mut classes) = tokio::sync::mpsc::unbounded_channel();
        flow.push_raw("default", payload.as_bytes()).await;
        let running = Running::start(server.middleware(Watching(seen)).only::<notification>());
        assert_eq!(reports.next().await, report);
        running.stop().await;
        assert_eq!(classes.try_recv().unwrap(), "NotificationJob");
    }
    let retry = flow.until_timed(TimedSet::Retry, 2).await;
    for payload in [RAILS_6, RAILS_8] {
        // The object of the payload without its brace, then the fields of the failure.
        let start = &payload.as_bytes()[..payload.len() - 1];
        let failed = retry
            .iter()
            .find(|entry| entry.payload.starts_with(start))
            .unwrap_or_else(|| panic!("{payload} was changed: {retry:?}"));
        assert!(failed.payload[start.len()..].starts_with(b",\"error_message\":\"no mail\","));
        assert_eq!(field(&failed.payload, "retry_count"), 0);
    }
}

async fn what_cannot_be_run_says_why(flow: Flow) {
    let wrapper = r#""class":"Sidekiq::ActiveJob::Wrapper","jid":"1","retry":true"#;
    let of = |arguments: &str| {
        format!(r#"{{{wrapper},"wrapped":"NotificationJob","args":[{{"arguments":{arguments}}}]}}"#)
    };
    let cases = [
        (
            format!(r#"{{{wrapper},"wrapped":"Rails::Only","args":[{{"arguments":[]}}]}}"#),
            "sancho::UnknownClass",
            "\"Rails::Only\"",
        ),
        (
            format!(r#"{{{wrapper},"args":[{{"arguments":[]}}]}}"#),
            "sancho::UnknownClass",
            "\"Sidekiq::ActiveJob::Wrapper\"",
        ),
        (
            format!(r#"{{{wrapper},"wrapped":"NotificationJob","args":[7]}}"#),
            "sancho::ArgumentError",
            "not what ActiveJob writes",
        ),
        (
            of(r#"["gid://shop/User/1",{"_aj_serialized":"MoneySerializer"}]"#),
            "sancho::ArgumentError",
            "argument `options` (2nd of 2, `Options`): only Rails can read what `MoneySerializer` wrote",
        ),
        (
            of("[1]"),
            "sancho::ArgumentError",
            "argument `user` (1st of 2, `GlobalId`): invalid type: integer `1`, expected a GlobalID",
        ),
    ];
    for (payload, ..) in &cases {
        flow.push_raw("default", payload.as_bytes()).await;
    }
    let (server, _reports) = flow.server();
    let running = Running::start(server.only::<notification>());
    let retry = flow.until_timed(TimedSet::Retry, cases.len()).await;
    running.stop().await;
    for (payload, class, message) in &cases {
        let start = &payload.as_bytes()[..payload.len() - 1];
        assert!(
            retry.iter().any(|entry| {
                entry.payload.starts_with(start)
                    && field(&entry.payload, "error_class") == *class
                    && field(&entry.payload, "error_message")
                        .as_str()
                        .unwrap()
                        .contains(message)
            }),
            "{payload}: {class} {message}: {retry:?}"
        );
    }
}

flows! {
    the_job_of_the_wrapped_class_runs
    what_cannot_be_run_says_why
}
