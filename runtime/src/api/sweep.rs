//! Acting on all entries of a timed set, page by page.

use std::fmt;

use super::change::{Changes, acted};
use super::{Acted, ApiError, JobSet, SortedEntry};
use crate::job::Timestamp;
use crate::store::{Order, Tx};

/// How many entries are read, and acted on in one round trip.
const PAGE: u64 = 100;

/// What is done with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Delete,
    Reschedule(Timestamp),
    Retry,
    AddToQueue,
    Kill,
}

impl Deed {
    /// Whether what it is done to may soon stand in the same set again.
    fn may_come_back(self) -> bool {
        matches!(self, Self::Retry | Self::AddToQueue)
    }
}

type Filter = Box<dyn Fn(&SortedEntry) -> bool + Send + Sync>;

/// An action on all entries of a timed set, done page by page as [`next`](Self::next) is asked, from the earliest entry on.
///
/// It ends: it looks at no more entries than stood there when it began, and a job that fails again meanwhile is left. Each
/// entry has a transaction of its own. Dropped, it stops where it is.
///
/// ```
/// # use sancho::{Client, Config, api::Api};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let api = Api::new(&Client::connect(Config::new().store("memory:")).await?);
/// let mut sweep = api.retries().retry_all().matching(|entry| entry.error_class().as_deref() == Some("Net::ReadTimeout"));
/// while let Some(progress) = sweep.next().await? {
///     println!("{} of {}", progress.looked_at, progress.total);
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is done unless `next` or `finish` is awaited"]
pub struct Sweep {
    set: JobSet,
    deed: Deed,
    filter: Option<Filter>,
    changes: Changes,
    progress: Option<Progress>,
    began: Timestamp,
    /// How many entries stand before those that were not looked at yet.
    cursor: u64,
    /// How many entries were moved to a later time, where they are met again.
    moved_on: u64,
}

/// How far a [`Sweep`] is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// How many entries stood there when it began.
    pub total: u64,
    /// How many were looked at.
    pub looked_at: u64,
    /// How many it was done to.
    pub done: u64,
    /// How many were gone before: somebody else was faster.
    pub gone: u64,
    /// How many were left: they do not match, it makes no sense for them, or they are newer than the sweep.
    pub left: u64,
}

impl Sweep {
    pub(super) fn new(set: &JobSet, deed: Deed) -> Self {
        Self {
            set: set.clone(),
            deed,
            filter: None,
            changes: Changes::new(&set.api),
            progress: None,
            began: Timestamp::default(),
            cursor: 0,
            moved_on: 0,
        }
    }

    /// Leaves the entries for which this is false. All entries are read for it.
    pub fn matching(
        mut self,
        matches: impl Fn(&SortedEntry) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.filter = Some(Box::new(matches));
        self
    }

    /// Does the next page, and says how far it is; `None` when everything is done. One round trip to read and one to act.
    ///
    /// # Errors
    /// What makes no sense for this set, as for a single entry; a store that gives no answer, or refuses. What was done stays
    /// done; asking again goes on.
    pub async fn next(&mut self) -> Result<Option<Progress>, ApiError> {
        let mut progress = match self.progress {
            Some(progress) => progress,
            None => self.begin().await?,
        };
        let page = PAGE.min(progress.total.saturating_sub(progress.looked_at));
        if page == 0 {
            return Ok(None);
        }
        let limit = usize::try_from(page).unwrap_or(usize::MAX);
        let entries = self
            .set
            .page(Order::Forward, self.cursor, limit)
            .await?
            .entries;
        if entries.is_empty() {
            return Ok(None);
        }
        let looked_at = entries.len() as u64;
        let there = entries.iter().filter(|entry| self.is_there(entry)).count() as u64;
        let (due, txs): (Vec<_>, Vec<_>) = entries
            .into_iter()
            .filter_map(|entry| self.transaction(&entry).map(|tx| (entry.at(), tx)))
            .unzip();
        let stay = looked_at - txs.len() as u64;
        let results = if txs.is_empty() {
            Vec::new()
        } else {
            self.changes.commit(txs).await?
        };
        self.cursor += stay;
        // Those that the sweep itself moved there were looked at before.
        let again = there.min(self.moved_on);
        self.moved_on -= again;
        progress.left += stay - again;
        progress.looked_at += looked_at - again;
        let mut refused = None;
        for (at, result) in due.into_iter().zip(results) {
            match acted(Some(result)) {
                Ok(Acted::Done) => {
                    progress.done += 1;
                    if let Deed::Reschedule(to) = self.deed {
                        // It stands before the next one now, or comes again.
                        self.cursor += u64::from(to < at);
                        self.moved_on += u64::from(to > at);
                    }
                }
                Ok(Acted::Gone) => progress.gone += 1,
                Err(error) => {
                    // It stands where it stood, to be looked at again.
                    progress.looked_at -= 1;
                    refused = Some(error);
                }
            }
        }
        self.progress = Some(progress);
        refused.map_or(Ok(Some(progress)), Err)
    }

    /// Does all of it, and says what was done.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn finish(mut self) -> Result<Progress, ApiError> {
        while self.next().await?.is_some() {}
        Ok(self.progress.unwrap_or_default())
    }

    async fn begin(&mut self) -> Result<Progress, ApiError> {
        self.set.allows(self.deed)?;
        let progress = Progress {
            total: self.set.size().await?,
            ..Progress::default()
        };
        self.began = self.set.api.now();
        self.progress = Some(progress);
        Ok(progress)
    }

    /// What is done to an entry, unless it is left.
    fn transaction(&self, entry: &SortedEntry) -> Option<Tx> {
        let newer = entry.since().is_some_and(|since| since > self.began);
        let unwanted = self.filter.as_ref().is_some_and(|matches| !matches(entry));
        if self.is_there(entry) || unwanted || (newer && self.deed.may_come_back()) {
            return None;
        }
        let mut tx = self.set.transaction(entry, self.deed).ok()?;
        tx.put_in_order();
        Some(tx)
    }

    /// Whether an entry stands where it is to be moved.
    fn is_there(&self, entry: &SortedEntry) -> bool {
        self.deed == Deed::Reschedule(entry.at())
    }
}

impl fmt::Debug for Sweep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sweep")
            .field("set", &self.set.set)
            .field("deed", &self.deed)
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}
