//! What a job's own rules say about its failure. They are the user's code: one that panics is reported, and is as if it had
//! said nothing.

use std::fmt::Display;
use std::time::Duration;

use super::Engine;
use super::finish::Finished;
use crate::job::panic::caught;
use crate::job::payload::{Attempts, Fields, Record};
use crate::job::{
    AnyError, FARTHEST, Policy, RetryIn, RetryRule, Rule, States, Wait, backoff, one_line, short,
};

/// The job's own error, and what is said about it.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    policy: Policy,
    error: &'a AnyError,
    /// What its callbacks borrow.
    states: &'a States,
    /// Whose failure it is, for the log.
    record: &'a Record,
}

/// The rule that an error matched.
#[derive(Debug)]
pub(super) enum Matched {
    /// `discard_on`.
    Discard,
    /// `retry_on`.
    Retry {
        /// How long the job waits; `None` where its attempts are used up.
        wait: Option<Duration>,
        /// With this execution.
        attempts: Attempts,
    },
}

impl<'a> Asked<'a> {
    pub(super) fn new(
        engine: &'a Engine,
        finished: &Finished<'_>,
        record: &'a Record,
        error: &'a AnyError,
    ) -> Option<Self> {
        let policy = finished.definition?.policy;
        Some(Self {
            policy,
            error,
            states: &engine.states,
            record,
        })
    }

    /// The first of `retry_on` and `discard_on` that matches.
    pub(super) fn rule(&self, fields: &Fields<'_>) -> Option<Matched> {
        let rule = self.policy.rule?;
        match self.guarded("`retry_on` or `discard_on`", || rule(self.error))?? {
            Rule::Discard => Some(Matched::Discard),
            Rule::Retry(rule) => {
                let mut attempts = fields.attempts();
                let executions = attempts.count(rule.pattern);
                let wait = (executions < rule.attempts).then(|| self.wait(&rule, executions - 1));
                Some(Matched::Retry { wait, attempts })
            }
        }
    }

    /// How long a job waits after as many executions that ended so before. Zero is the usual time.
    fn wait(&self, rule: &RetryRule, count: u32) -> Duration {
        let wait = match rule.wait {
            Wait::Time(wait) => wait,
            Wait::Exponential => Duration::ZERO,
            Wait::By(wait) => {
                const WHAT: &str = "the `wait` of `retry_on`";
                let said = self.guarded(WHAT, || wait(count));
                said.and_then(|wait| within_reach(self.record, WHAT, wait))
                    .unwrap_or_default()
            }
        };
        if wait.is_zero() {
            backoff::delay(count)
        } else {
            wait
        }
    }

    /// `retry_in`.
    pub(super) fn retry_in(&self, count: u32) -> RetryIn {
        let Some(retry_in) = self.policy.retry_in else {
            return RetryIn::Default;
        };
        const WHAT: &str = "`retry_in`";
        let said = self.guarded(WHAT, || retry_in(count, self.error, self.states));
        match said.flatten().unwrap_or_default() {
            RetryIn::After(wait) => {
                within_reach(self.record, WHAT, wait).map_or(RetryIn::Default, RetryIn::After)
            }
            said => said,
        }
    }

    fn guarded<T>(&self, what: &str, ask: impl FnOnce() -> T) -> Option<T> {
        let said = caught(ask);
        said.map_err(|panic| report(self.record, what, &panic.message))
            .ok()
    }
}

/// This wait of a job; what is longer than a job can wait is reported, and is as if nothing had been said.
pub(super) fn within_reach(record: &Record, what: &str, wait: Duration) -> Option<Duration> {
    if wait <= FARTHEST {
        return Some(wait);
    }
    let error = format!("it asked for a wait of {wait:?}, and a job waits for 100 years at most");
    report(record, what, &error);
    None
}

/// A callback of a job that failed.
pub(super) fn report(record: &Record, what: &str, error: &dyn Display) {
    let (jid, class) = (short(record.jid().as_str()), short(record.class()));
    tracing::error!(
        jid,
        class,
        "{what} broke down, the default counts: {}",
        one_line(error)
    );
}
