//! Servers of jobs that do a step each time that they are let, and what is kept of those jobs.

use std::sync::Arc;

use sancho::JobId;
use sancho::api::Iteration;
use sancho::runtime::ServerBuilder;
use tokio::sync::Semaphore;

use crate::harness::{Flow, Reports, Running};

/// Lets a job go on to its next step.
pub(crate) type Gate = Semaphore;

/// The step that fails, if there is one.
pub(crate) type FailAt = Option<u64>;

pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

/// A server, its jobs' steps, and what they report.
pub(crate) struct Started {
    pub(crate) running: Running,
    pub(crate) gate: Arc<Gate>,
    pub(crate) seen: Reports,
}

impl Started {
    /// One that serves the jobs which `jobs` names.
    pub(crate) fn with(
        flow: &Flow,
        fail_at: FailAt,
        jobs: impl FnOnce(ServerBuilder) -> ServerBuilder,
    ) -> Self {
        let (server, seen) = flow.server();
        let gate = Arc::new(Gate::new(0));
        let server = server.state_arc(gate.clone()).state(fail_at);
        Self {
            running: Running::start(jobs(server)),
            gate,
            seen,
        }
    }

    /// Lets one step be made.
    pub(crate) async fn step(&mut self) -> String {
        self.gate.add_permits(1);
        self.seen.next().await
    }
}

pub(crate) async fn kept(flow: &Flow, jid: &JobId) -> Option<Iteration> {
    flow.api().iteration(jid.as_str()).await.unwrap()
}

pub(crate) async fn until_processed(flow: &Flow, count: u64) {
    flow.until("all is processed", || async {
        flow.counters().await.0 == count
    })
    .await;
}
