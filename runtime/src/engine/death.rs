//! Death handlers: the user's code at the end of jobs that are given up.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

use super::Engine;
use super::failed::time;
use super::finish::edited;
use super::rules::report;
use crate::job::panic::Caught;
use crate::job::payload::{Fields, Record};
use crate::job::{
    Definition, Ending, Exhaust, Exhausted, Failure, FailureKind, States, Timestamp, active_job,
    one_line, short,
};

/// Is told of every job that is given up: one that has used up its tries, one with `retry = false` that failed, one that
/// returned [`Outcome::Dead`](crate::Outcome::Dead) or [`Outcome::Discard`](crate::Outcome::Discard), one whose process died
/// three times, and a payload that is no job. Sidekiq's death handlers, with poison pills and bad payloads besides.
///
/// Handlers run one after the other in the order in which they were added, before the job's end is committed: so at least
/// once, and again where the process dies or stops meanwhile. They take the time of the job's slot and hold up nothing else; those
/// of jobs that were taken over from dead processes run on tasks of their own, as many at once as there are slots. One that
/// panics, or takes longer than [`hook_timeout`](super::ServerBuilder::hook_timeout), is logged; the others run, and the job ends as
/// it would have.
///
/// A job's own `retries_exhausted` is called before them, and may still discard the job.
///
/// An entry of the schedule that is no job, and that no worker has held, goes to the dead set without them.
///
/// ```
/// use sancho::engine::{Death, DeathHandler};
/// use sancho::runtime::Server;
///
/// struct Mourn;
///
/// impl DeathHandler for Mourn {
///     async fn call(&self, death: &Death<'_>) {
///         eprintln!("{} {} died of {}", death.class(), death.jid(), death.error_class());
///     }
/// }
///
/// let builder = Server::builder()
///     .death_handler(Mourn)
///     .death_handler(|death: &Death<'_>| eprintln!("{}", death.error_message()));
/// ```
pub trait DeathHandler: Send + Sync + 'static {
    /// Is told of one.
    fn call(&self, death: &Death<'_>) -> impl Future<Output = ()> + Send;
}

impl<F: Fn(&Death<'_>) + Send + Sync + 'static> DeathHandler for F {
    async fn call(&self, death: &Death<'_>) {
        self(death);
    }
}

/// A job that is given up.
#[derive(Clone, Copy, Debug)]
pub struct Death<'a>(&'a Dying);

impl Death<'_> {
    /// Its payload as it stands at its end, with its error and, where it is discarded by a rule, `discarded_at`: a JSON
    /// object, or what came in the place of one.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.0.payload
    }

    /// Its class; of an ActiveJob, the class that its wrapper wraps. Empty where there is none.
    #[must_use]
    pub fn class(&self) -> &str {
        &self.0.class
    }

    /// Its id; empty where there is none.
    #[must_use]
    pub fn jid(&self) -> &str {
        &self.0.jid
    }

    /// The class of what it died of, as in `error_class`.
    #[must_use]
    pub fn error_class(&self) -> &str {
        &self.0.error_class
    }

    /// What it died of.
    #[must_use]
    pub fn error_message(&self) -> &str {
        &self.0.error_message
    }

    /// Whether it goes to the dead set, where it can be looked at and tried again; else it is discarded.
    #[must_use]
    pub fn is_buried(&self) -> bool {
        self.0.buried
    }
}

/// What a [`Death`] is made of.
#[derive(Debug)]
pub(crate) struct Dying {
    pub(super) payload: Bytes,
    pub(super) buried: bool,
    class: Box<str>,
    jid: Box<str>,
    error_class: Box<str>,
    error_message: Box<str>,
    /// The job's `retries_exhausted`, where it is to be called.
    retries_exhausted: Option<Exhaust>,
}

impl Dying {
    /// The job's class; of an ActiveJob, the class that its wrapper wraps. Empty where there is none.
    pub(super) fn class(&self) -> &str {
        &self.class
    }

    /// The end of this payload, of this class and message of an error.
    pub(crate) fn new(
        payload: Bytes,
        buried: bool,
        error_class: &str,
        error_message: &str,
    ) -> Self {
        let fields = Fields::read(&payload).unwrap_or_default();
        let class = fields.class().unwrap_or_default();
        let wrapped = active_job::wrapped(&class, &payload);
        Self {
            class: wrapped.map_or_else(|| class.into(), String::into_boxed_str),
            jid: fields.jid().unwrap_or_default().into(),
            error_class: error_class.into(),
            error_message: error_message.into(),
            payload,
            buried,
            retries_exhausted: None,
        }
    }

    /// The same end, of which the `retries_exhausted` of this job is told.
    pub(super) fn exhausted(self, job: Option<&Definition>) -> Self {
        Self {
            retries_exhausted: job.and_then(|job| job.policy.exhausted),
            ..self
        }
    }

    /// Whether anybody is to be told.
    pub(super) fn is_of_interest(&self, engine: &Engine) -> bool {
        self.retries_exhausted.is_some() || !engine.death_handlers.is_empty()
    }

    /// What the job's `retries_exhausted` is told. The job's own error goes to it.
    fn failure(&self, ending: &mut Ending) -> Failure {
        let (kind, backtrace, error) = match ending {
            Ending::Failed(failure) => (
                failure.kind,
                failure.backtrace.clone(),
                failure.error.take(),
            ),
            Ending::Lost => (FailureKind::Lost, Vec::new(), None),
            _ => (FailureKind::Other, Vec::new(), None),
        };
        Failure {
            kind,
            class: self.error_class.to_string(),
            message: self.error_message.to_string(),
            backtrace,
            error,
        }
    }
}

/// Says what is to be said of a job that is given up: first to its `retries_exhausted`, which may discard it, then to the
/// death handlers.
///
/// # Cancel safety
/// Dropped, those that were not told yet are not.
pub(super) async fn announce(
    engine: &Engine,
    dying: &mut Dying,
    ending: &mut Ending,
    now: Timestamp,
) {
    if let Some(exhausted) = dying.retries_exhausted
        && let Ok(record) = Record::parse(dying.payload.clone())
    {
        let failure = dying.failure(ending);
        let limit = engine.config.hook_timeout;
        let word = last_word(exhausted, &record, failure, &engine.states, limit).await;
        if word == Exhausted::Discard && dying.buried {
            dying.buried = false;
            let discarded_at = time(engine.config.wire, "discarded_at", now);
            dying.payload = edited(&dying.payload, &[discarded_at]);
        }
    }
    engine
        .death_handlers
        .tell(dying, engine.config.hook_timeout)
        .await;
}

async fn last_word(
    exhausted: Exhaust,
    record: &Record,
    failure: Failure,
    states: &States,
    limit: Duration,
) -> Exhausted {
    let said = Caught::new(async { Ok(exhausted(record, failure, states).await) });
    timeout(limit, said)
        .await
        .map_err(|_| took_too_long(limit))
        .and_then(|said| said.map_err(|panic| panic.message))
        .and_then(|word| word)
        .unwrap_or_else(|error| {
            report(record, "`retries_exhausted`", &error);
            Exhausted::default()
        })
}

fn took_too_long(limit: Duration) -> String {
    format!("it took longer than {limit:?}, and is given up")
}

impl fmt::Display for Dying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            class,
            jid,
            error_class,
            error_message,
            ..
        } = self;
        write!(f, "{class} {jid}: {error_class}: {error_message}")
    }
}

/// Death handlers, in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeathHandlers(Vec<Arc<dyn Erased>>);

impl DeathHandlers {
    pub(crate) fn add(&mut self, handler: impl DeathHandler) {
        self.0.push(Arc::new(Named(handler)));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells all of them, each for so long at most.
    ///
    /// # Cancel safety
    /// Dropped, those that were not told yet are not.
    pub(crate) async fn tell(&self, dying: &Dying, limit: Duration) {
        let death = Death(dying);
        for handler in &self.0 {
            let told = Caught::new(async {
                handler.call(&death).await;
                Ok(())
            });
            let wrong = match timeout(limit, told).await {
                Ok(Ok(())) => continue,
                Ok(Err(panic)) => format!("broke down: {}", one_line(panic.message)),
                Err(_) => format!("has a fault: {}", took_too_long(limit)),
            };
            let (jid, class) = (short(death.jid()), short(death.class()));
            tracing::error!(jid, class, ?handler, "a death handler {wrong}");
        }
    }
}

/// The trait as an object.
trait Erased: fmt::Debug + Send + Sync {
    fn call<'a>(&'a self, death: &'a Death<'a>) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
}

struct Named<H>(H);

impl<H: DeathHandler> Erased for Named<H> {
    fn call<'a>(&'a self, death: &'a Death<'a>) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(self.0.call(death))
    }
}

impl<H> fmt::Debug for Named<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::any::type_name::<H>())
    }
}
