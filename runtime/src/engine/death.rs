//! Death handlers: the user's code at the end of jobs that are given up.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use crate::job::panic::Caught;
use crate::job::payload::Fields;
use crate::job::{active_job, one_line, short};

/// Is told of every job that is given up: one that has used up its tries, one with `retry = false` that failed, one that
/// returned [`Outcome::Dead`](crate::Outcome::Dead) or [`Outcome::Discard`](crate::Outcome::Discard), one whose process died
/// three times, and a payload that is no job. Sidekiq's death handlers, with poison pills and bad payloads besides.
///
/// Handlers run one after the other in the order in which they were added, before the job's end is committed: so at least
/// once, and again where the process dies or stops meanwhile. They take the time of the job's slot and hold up nothing else; those
/// of jobs that were taken over from dead processes run on tasks of their own, as many at once as there are slots. One that
/// panics is logged; the others run, and the job ends as it would have.
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
}

impl Dying {
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
        }
    }
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

    /// Tells all of them.
    ///
    /// # Cancel safety
    /// Dropped, those that were not told yet are not.
    pub(crate) async fn tell(&self, dying: &Dying) {
        let death = Death(dying);
        for handler in &self.0 {
            let told = Caught::new(async {
                handler.call(&death).await;
                Ok(())
            });
            if let Err(panic) = told.await {
                let (jid, class) = (short(death.jid()), short(death.class()));
                tracing::error!(
                    jid,
                    class,
                    ?handler,
                    "a death handler broke down: {}",
                    one_line(panic.message)
                );
            }
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
