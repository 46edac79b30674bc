//! The reconciler: proves from the data that the store is as it should be, names what is not, and mends it.
//!
//! Workers may run meanwhile. A look is no snapshot: jobs move between two reads. So what looks wrong is asked for again in one
//! moment, by a transaction that has only guards, before it is reported: what is reported was so. What was not reported is
//! proven only where nothing moved.
//!
//! # What is proven
//! * Every claim is of an owner that is registered, and that either lives or ran out within [`RECOVERY`]. A claim is named by its
//!   owner and token, under which a store keeps one payload: the same token cannot be held twice.
//! * No two payloads with one `jid` stand in two places, in the hands of owners included, nor twice in one queue of up to
//!   [`MAX_RECOUNTED`] jobs. Payloads without a `jid` are not compared.
//! * What the store keeps is of the type that it must have, whole, and found by whoever looks for it
//!   ([`DefectKind`](crate::store::DefectKind)).
//!
//! # What it costs
//! Every payload is read once, in pages, and only the ones that look wrong are read a second time. Of each `jid`, eight bytes are
//! kept; above [`MAX_COMPARED`] jobs the store is read once for each further million. In Redis all names of the database's keys
//! are gone through besides (`SCAN`). SQLite looks for damage, which reads the whole file.

mod look;
mod mend;
mod spot;
mod violation;
mod walk;

use std::fmt;
use std::time::Duration;

pub use mend::{Mended, mend};
pub use spot::Spot;
pub use violation::Violation;

use super::ApiError;
use crate::client::Client;

/// How soon a dead process's jobs start again, where another process lives.
pub const RECOVERY: Duration = Duration::from_secs(20);

/// How many jobs are compared in one pass.
pub const MAX_COMPARED: u64 = 1_000_000;

/// How long a queue may be in which the same bytes are counted.
pub const MAX_RECOUNTED: usize = 10_000;

/// How many violations are reported at most.
pub const MAX_VIOLATIONS: usize = 1_000;

/// What a look at a whole store came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// What is not as it should be, at most about [`MAX_VIOLATIONS`] of it.
    pub violations: Vec<Violation>,
    /// How many payloads were looked at.
    pub payloads: u64,
    /// Why not everything could be looked at. Mend what was found, and look again.
    pub unfinished: Option<String>,
}

impl Report {
    /// Whether everything was looked at and nothing is wrong; notes ([`Violation::is_note`]) do not count.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.unfinished.is_none() && self.violations.iter().all(Violation::is_note)
    }
}

/// A line for each violation.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for violation in &self.violations {
            let kind = if violation.is_note() {
                "note"
            } else {
                "violation"
            };
            writeln!(f, "{kind} {violation}")?;
        }
        if let Some(why) = &self.unfinished {
            writeln!(
                f,
                "not everything could be looked at: {}",
                why.escape_debug()
            )?;
        }
        write!(
            f,
            "{} payloads looked at, {} findings",
            self.payloads,
            self.violations.len()
        )
    }
}

/// Looks at the whole store of a client. Changes nothing.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let client = sancho::Client::connect(sancho::Config::new().store("memory:")).await?;
/// let report = sancho::api::doctor(&client).await?;
/// assert!(report.is_sound(), "{report}");
/// for violation in &report.violations {
///     sancho::api::mend(&client, violation).await?;
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`ApiError::Unavailable`], before anything was found.
pub async fn doctor(client: &Client) -> Result<Report, ApiError> {
    look::look(client.store().as_ref())
        .await
        .map_err(ApiError::unavailable)
}
