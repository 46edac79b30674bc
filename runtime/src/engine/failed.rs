//! What becomes of a job that failed: Sidekiq's rules.

use std::borrow::Cow;
use std::time::Duration;

use super::Engine;
use super::config::EngineConfig;
use super::death::Dying;
use super::finish::{Fate, Finished, edited, head, timed};
use super::rules::{Asked, Matched, within_reach};
use crate::job::payload::{
    Edit, Fields, MAX_ERROR_MESSAGE, MAX_NESTING, Record, Recoveries, Wire, nesting,
    write_backtrace,
};
use crate::job::{AnyError, Backtrace, Failure, Retry, RetryIn, Timestamp, backoff};
use crate::store::TimedSet;

/// A poison pill: a job that was taken over from a dead process this often within [`Recoveries::WINDOW`] is given up, since it
/// may well be what kills them. As in Sidekiq Pro.
const MAX_RECOVERIES: u32 = 3;

/// A failure, as it is written, and what is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failed<'a> {
    pub(super) class: &'a str,
    pub(super) message: &'a str,
    pub(super) backtrace: &'a [String],
    /// The job's own error, which its rules look at.
    pub(super) error: Option<&'a AnyError>,
    pub(super) then: Then,
}

/// What a failed job asks for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Then {
    /// Another try after this time, or after the usual one; its end, if it has used up its tries.
    Retry(Option<Duration>),
    /// Its end.
    Kill,
    /// To be discarded.
    Discard,
    /// To be put off, which it cannot be.
    PutOff,
}

/// What it comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Again(Duration),
    /// It has used up its tries, or asked for its end: buried, unless its `dead` says no.
    Exhausted {
        buried: bool,
    },
    /// Buried, whatever `dead` says: Ruby takes an entry out of its set before it reads it, and could not read this one.
    TooDeep,
    Discarded,
    /// `retry: false`: discarded without a mark, as in Sidekiq.
    GivenUp,
}

impl<'a> From<&'a Failure> for Failed<'a> {
    fn from(failure: &'a Failure) -> Self {
        Self {
            class: &failure.class,
            message: &failure.message,
            backtrace: &failure.backtrace,
            error: failure.error.as_deref(),
            then: Then::Retry(None),
        }
    }
}

/// What becomes of a job that failed.
pub(super) fn fate(
    engine: &Engine,
    finished: &Finished<'_>,
    failed: Failed<'_>,
    now: Timestamp,
) -> Fate {
    let Some(record) = finished.record else {
        return malformed(engine.config.wire, finished, failed, now);
    };
    let fields = record.fields();
    let asked = failed
        .error
        .and_then(|error| Asked::new(engine, finished, record, error));
    let case = Case {
        config: &engine.config,
        finished,
        record,
        matched: asked.as_ref().and_then(|asked| asked.rule(&fields)),
        asked,
        fields,
        now,
    };
    let verdict = case.verdict(failed.then);
    let message = message(failed.message, verdict);
    let failed = Failed {
        message: &message,
        ..failed
    };
    let payload = edited(&finished.claimed.payload, &case.edits(failed, verdict));
    match verdict {
        Verdict::Again(delay) => Fate::Moved(payload, timed(TimedSet::Retry, now.after(delay))),
        Verdict::Exhausted { buried } => {
            let dying = Dying::new(payload, buried, failed.class, failed.message);
            Fate::Died(dying.exhausted(finished.definition))
        }
        Verdict::TooDeep => {
            let dying = Dying::new(payload, true, failed.class, failed.message);
            Fate::Died(dying.exhausted(finished.definition))
        }
        Verdict::Discarded | Verdict::GivenUp => {
            Fate::Died(Dying::new(payload, false, failed.class, failed.message))
        }
    }
}

/// A job that failed, with what is judged by.
struct Case<'a> {
    config: &'a EngineConfig,
    finished: &'a Finished<'a>,
    record: &'a Record,
    /// The job's own rules, and which of them matched, where it failed with an error of its own.
    asked: Option<Asked<'a>>,
    matched: Option<Matched>,
    fields: Fields<'a>,
    now: Timestamp,
}

impl Case<'_> {
    /// The judgement of the job's `retry_on` and `discard_on`, which count whatever `retry` says; else Sidekiq's. Where neither
    /// the payload nor a job says anything about retries, which Sidekiq would take for `false`, it is tried again: another
    /// process may know its class.
    fn verdict(&self, then: Then) -> Verdict {
        let end = Verdict::Exhausted {
            buried: self.fields.is_kept_when_dead(),
        };
        let delay = match then {
            Then::Kill => return end,
            Then::Discard => return Verdict::Discarded,
            Then::PutOff => return Verdict::TooDeep,
            Then::Retry(delay) => {
                delay.and_then(|delay| within_reach(self.record, "`Outcome::Retry`", delay))
            }
        };
        let count = u32::try_from(self.count().max(0)).unwrap_or(u32::MAX);
        match self.matched {
            Some(Matched::Discard) => return Verdict::Discarded,
            Some(Matched::Retry {
                wait: Some(wait), ..
            }) => return self.again(count, wait),
            _ => {}
        }
        let of_job = self.finished.definition.map(|job| job.retry);
        let most = match self.fields.retry().or(of_job).unwrap_or(Retry::Default) {
            Retry::Never => return Verdict::GivenUp,
            Retry::Default => self.config.max_retries,
            Retry::Times(times) => times,
        };
        if self.is_exhausted(count, most) {
            return end;
        }
        let asked = self.asked.as_ref();
        let said = asked.map_or(RetryIn::Default, |asked| asked.retry_in(count));
        let delay = match (delay, said) {
            (_, RetryIn::Kill) => return end,
            (_, RetryIn::Discard) => return Verdict::Discarded,
            (Some(delay), _) => delay,
            (None, RetryIn::After(delay)) if !delay.is_zero() => delay,
            (None, _) => backoff::delay(count),
        };
        self.again(count, delay)
    }

    fn again(&self, count: u32, delay: Duration) -> Verdict {
        if nesting(self.record.payload()) > MAX_NESTING {
            return Verdict::TooDeep;
        }
        Verdict::Again(delay.saturating_add(backoff::jitter(count)))
    }

    /// `retry_count` with this failure: 0 at the first.
    fn count(&self) -> i64 {
        let so_far = self.record.retry_count();
        so_far.map_or(0, |count| count.saturating_add(1))
    }

    /// A job is exhausted once its count has reached its retries; where there is a `retry_for`, that alone counts, as in 8.1.
    fn is_exhausted(&self, count: u32, most: u32) -> bool {
        let Some(time) = self.fields.retry_for() else {
            return count >= most;
        };
        let before = self.record.retry_count().and(self.fields.failed_at());
        let first_failure = before.unwrap_or(self.now);
        time.is_zero() || first_failure.after(time) < self.now
    }

    /// The fields of the failure, in the order in which Sidekiq writes them.
    fn edits(&self, failed: Failed<'_>, verdict: Verdict) -> Vec<Edit> {
        let Self {
            finished, fields, ..
        } = self;
        let time = |key| time(self.config.wire, key, self.now);
        let mut edits = Vec::with_capacity(8);
        if fields.retry().is_none()
            && let Some(job) = finished.definition
        {
            edits.push(Edit::Set("retry", retry(job.retry)));
        }
        let queue = fields.retry_queue();
        let queue = queue.as_deref().unwrap_or(&finished.claimed.queue);
        edits.push(Edit::string("queue", queue));
        edits.extend(error(failed));
        edits.push(match self.record.retry_count() {
            None => time("failed_at"),
            Some(_) => time("retried_at"),
        });
        edits.push(Edit::integer("retry_count", self.count()));
        if let Some(Matched::Retry { attempts, .. }) = &self.matched {
            edits.push(Edit::Set("sancho_attempts", attempts.json().into()));
        }
        let most = match fields.backtrace() {
            Backtrace::None => None,
            Backtrace::All => Some(usize::MAX),
            Backtrace::Lines(most) => Some(usize::try_from(most).unwrap_or(usize::MAX)),
        };
        if let Some(most) = most {
            let lines = failed.backtrace.iter().take(most);
            let lines: Vec<_> = lines.map(|line| cut(line)).collect();
            edits.push(Edit::string("error_backtrace", &write_backtrace(&lines)));
        }
        let discarded = [Verdict::Discarded, Verdict::Exhausted { buried: false }];
        if discarded.contains(&verdict) {
            edits.push(time("discarded_at"));
        }
        edits
    }
}

fn message(message: &str, verdict: Verdict) -> Cow<'_, str> {
    if verdict == Verdict::TooDeep {
        // In front, where it is not cut off.
        return Cow::Owned(format!(
            "the payload nests deeper than the {MAX_NESTING} levels that Ruby reads, so it cannot wait in a set: {message}"
        ));
    }
    Cow::Borrowed(message)
}

/// A payload that is no job: nobody can try it again. It is an object, so its fields say why it is where it is.
fn malformed(wire: Wire, finished: &Finished<'_>, failed: Failed<'_>, now: Timestamp) -> Fate {
    let [message, class] = error(failed);
    let edits = [message, class, time(wire, "failed_at", now)];
    let payload = edited(&finished.claimed.payload, &edits);
    Fate::Died(Dying::new(payload, true, failed.class, failed.message))
}

/// A job that was taken over goes back to the head of its queue with its recoveries counted; at the third it is given up. So is one that was
/// claimed and was given up before.
pub(super) fn recovered(engine: &Engine, finished: &Finished<'_>, now: Timestamp) -> Fate {
    let claimed = finished.claimed;
    let recoveries = recoveries(finished, now);
    let mut edits = vec![Edit::Set("sancho_recoveries", recoveries.json().into())];
    if recoveries.count < MAX_RECOVERIES && !is_given_up(finished.record) {
        return Fate::Moved(edited(&claimed.payload, &edits), head(claimed));
    }
    let lost = Failure::lost(recoveries.count);
    let lost = Failed::from(&lost);
    edits.extend(error(lost));
    let wire = engine.config.wire;
    if finished
        .record
        .is_none_or(|record| record.retry_count().is_none())
    {
        edits.push(time(wire, "failed_at", now));
    }
    let buried = finished
        .record
        .is_none_or(|record| record.fields().is_kept_when_dead());
    if !buried {
        edits.push(time(wire, "discarded_at", now));
    }
    let payload = edited(&claimed.payload, &edits);
    let dying = Dying::new(payload, buried, lost.class, lost.message);
    Fate::Died(dying.exhausted(finished.definition))
}

/// A job that is given up goes back to the head of its queue all the same, with that mark: another process is to bury it.
pub(super) fn left(finished: &Finished<'_>, now: Timestamp) -> Fate {
    let claimed = finished.claimed;
    let recoveries = Recoveries {
        given_up: true,
        ..recoveries(finished, now)
    };
    let edits = [Edit::Set("sancho_recoveries", recoveries.json().into())];
    Fate::Moved(edited(&claimed.payload, &edits), head(claimed))
}

/// Whether a job was given up before, and is to be buried by who claims it.
pub(super) fn is_given_up(record: Option<&Record>) -> bool {
    let recoveries = record.and_then(Record::recoveries);
    recoveries.is_some_and(|recoveries| recoveries.given_up)
}

fn recoveries(finished: &Finished<'_>, now: Timestamp) -> Recoveries {
    let so_far = finished.record.and_then(Record::recoveries);
    let more = finished.claimed.recoveries;
    // A claim that nobody knew of was lost once, which the store does not count.
    let more = if is_given_up(finished.record) {
        more
    } else {
        more.max(1)
    };
    Recoveries::after(so_far, more, now)
}

fn error(failed: Failed<'_>) -> [Edit; 2] {
    [
        Edit::string("error_message", cut(failed.message)),
        Edit::string("error_class", failed.class),
    ]
}

/// A text as far as it is written.
fn cut(text: &str) -> &str {
    let end = text.char_indices().nth(MAX_ERROR_MESSAGE);
    end.map_or(text, |(end, _)| &text[..end])
}

pub(super) fn time(wire: Wire, key: &'static str, at: Timestamp) -> Edit {
    Edit::Set(key, wire.time(at).into())
}

fn retry(retry: Retry) -> Cow<'static, str> {
    match retry {
        Retry::Default => "true".into(),
        Retry::Never => "false".into(),
        Retry::Times(times) => times.to_string().into(),
    }
}
