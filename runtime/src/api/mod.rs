//! What dashboards, the command line and operators may see and do: [`Api`].
//!
//! It works on every store, on those that Ruby's Sidekiq 6.5, 7 and 8 share with us too. Looking changes nothing. Every action
//! is one transaction that holds only while the job still stands where it was seen, by its exact bytes; where somebody else was
//! faster it is [`Acted::Gone`], which is no error.
//!
//! ```
//! use sancho::api::{Acted, Api};
//! use sancho::{Client, Config};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::connect(Config::new().store("memory:")).await?;
//! let api = Api::new(&client);
//! let queue = api.queue("default")?;
//! # queue.put(r#"{"class":"WelcomeEmail","args":[42]}"#).await?;
//! println!("{} jobs wait", api.stats().await?.enqueued);
//!
//! let mut jobs = queue.each();
//! while let Some(job) = jobs.next().await? {
//!     if job.class() == "WelcomeEmail" {
//!         assert_eq!(queue.delete(&job).await?, Acted::Done);
//!     }
//! }
//! assert_eq!(queue.size().await?, 0);
//! # Ok(())
//! # }
//! ```
//!
//! # What it costs
//! A read is one round trip, unless its page says otherwise. What goes through a whole place says so: it is made for people
//! who look for something, not for a program's way.
//!
//! # Cancel safety
//! A look can be dropped at any time. An action that is dropped before it is done may or may not have happened.

mod cancel;
mod change;
mod cron;
mod deploys;
mod display;
pub mod doctor;
mod entry;
mod error;
mod iteration;
mod metrics;
mod overview;
mod place;
mod process;
mod queue;
mod record;
mod relocate;
pub mod search;
mod set;
mod stats;
mod sweep;
mod walk;
mod work;

use std::fmt;
use std::time::Duration;

pub use crate::job::{Iteration, JobProgress};
pub use cancel::{Cancelled, cancel};
pub use change::Acted;
pub use cron::{Cron, CronRun, CronStatus};
pub use deploys::{Deploys, Mark};
pub use doctor::{doctor, mend};
pub use entry::SortedEntry;
pub use error::ApiError;
pub use metrics::{BUCKETS, ClassMetrics, Metrics, Period, Sample};
pub use overview::Overview;
pub use place::MAX_PAGE;
pub use process::{Capsule, Process, Signal};
pub use queue::{JobPage, Jobs, Queue, QueueSummary};
pub use record::JobRecord;
pub use relocate::{Relocated, Relocation};
pub use set::{Entries, EntryPage, JobSet, Scan};
pub use stats::{DayStats, MAX_HISTORY, Stats};
pub use sweep::{Progress, Sweep};
pub use work::Work;

use crate::client::Client;
use crate::engine::{DeadSet, DeathHandler, DeathHandlers};
use crate::job::Timestamp;
use crate::job::payload::Wire;
use crate::store::{Effect, Store, TestClock};

/// What may be seen and done in a store. Cheap to clone; see the [module](self).
#[derive(Clone)]
pub struct Api {
    client: Client,
    wire: Wire,
    dead_set: DeadSet,
    death_handlers: DeathHandlers,
    clock: Option<TestClock>,
}

impl Api {
    /// What may be seen and done in the store of this client, over its connection.
    #[must_use]
    pub fn new(client: &Client) -> Self {
        Self {
            client: client.clone(),
            wire: client.wire(),
            dead_set: DeadSet::default(),
            death_handlers: DeathHandlers::default(),
            clock: None,
        }
    }

    /// The version of Sidekiq whose form the times have that are written into payloads. Defaults to that of the client. All of them
    /// are read.
    #[must_use]
    pub fn sidekiq_wire(mut self, wire: Wire) -> Self {
        self.wire = wire;
        self
    }

    /// What the dead set keeps when a job is killed: one less than so many, as in Sidekiq, for so long. Defaults to 10,000 and
    /// 180 days.
    #[must_use]
    pub fn dead_set_limits(mut self, max_jobs: u64, timeout: Duration) -> Self {
        self.dead_set = DeadSet { max_jobs, timeout };
        self
    }

    /// Adds a death handler: what [`JobSet::kill`] tells of a job that it killed. Those of servers are told of the jobs that end
    /// there.
    #[must_use]
    pub fn death_handler(mut self, handler: impl DeathHandler) -> Self {
        self.death_handlers.add(handler);
        self
    }

    /// Takes the time from this clock instead of the host's: for tests.
    #[must_use]
    pub fn with_clock(mut self, clock: TestClock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// The client that it was made of.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The time that latencies are measured by: the host's.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock
            .as_ref()
            .map_or_else(Timestamp::from_wall_clock, |clock| clock())
    }

    /// Looks at the whole store for what is not as it should be. See the [module](mod@doctor).
    ///
    /// # Errors
    /// [`ApiError::Unavailable`], before anything was found.
    pub async fn doctor(&self) -> Result<doctor::Report, ApiError> {
        doctor(&self.client).await
    }

    /// Mends what [`Api::doctor`] has named, in one transaction, without losing a payload.
    ///
    /// # Errors
    /// [`ApiError::Unavailable`]; [`ApiError::Unknown`] where an answer was lost: look again to know whether it is mended.
    pub async fn mend(&self, violation: &doctor::Violation) -> Result<doctor::Mended, ApiError> {
        mend(&self.client, violation).await
    }

    fn store(&self) -> &dyn Store {
        self.client.store().as_ref()
    }

    /// The effect that brings the dead set within its bounds.
    fn trim(&self, now: Timestamp) -> Effect {
        self.dead_set.trim(now)
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("client", &self.client)
            .field("wire", &self.wire)
            .finish_non_exhaustive()
    }
}
