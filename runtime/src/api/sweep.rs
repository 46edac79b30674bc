//! Acting on all entries of a timed set, page by page.

use std::fmt;

use bytes::Bytes;

use super::change::{Changes, acted};
use super::walk::resume;
use super::{Acted, ApiError, JobSet, SortedEntry};
use crate::job::Timestamp;
use crate::store::{Order, Tx};

/// How many entries are read, and acted on in one round trip.
const PAGE: u64 = 100;

/// How many of the entries that were left are read again, to find where to go on.
const READ_AGAIN: usize = 100;

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
/// It ends: it looks at no more entries than stood there when it began. A job that it has sent off and that fails again meanwhile
/// is passed over and not counted. Others may act on entries meanwhile: one that stays is looked at, unless more than a hundred
/// before it come or go between two pages. Each entry has a transaction of its own. Dropped, it stops where it is.
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
    /// How many entries stand before those that were not looked at yet, as far as is known.
    cursor: u64,
    /// The payloads of those that were left last, right before the cursor, in order.
    last: Vec<Bytes>,
    /// How many entries may be met again: they were moved to a later time, or sent off and may fail.
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
            last: Vec::new(),
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
        let entries = self
            .read(usize::try_from(page).unwrap_or(usize::MAX))
            .await?;
        if entries.is_empty() {
            return Ok(None);
        }
        let looked_at = entries.len() as u64;
        let (mut seen, mut known) = (0, 0);
        let (mut due, mut txs, mut left) = (Vec::new(), Vec::new(), Vec::new());
        for entry in entries {
            if self.last.contains(entry.payload()) {
                // It was left before; what was added before it has moved it here.
                seen += 1;
                left.push(entry.payload().clone());
                continue;
            }
            known += u64::from(self.is_known(&entry));
            match self.transaction(&entry) {
                Some(tx) => {
                    due.push(entry.at());
                    txs.push(tx);
                }
                None => left.push(entry.payload().clone()),
            }
        }
        let stay = left.len() as u64;
        let results = if txs.is_empty() {
            Vec::new()
        } else {
            self.changes.commit(txs).await?
        };
        self.cursor += stay;
        self.last.retain(|payload| !left.contains(payload));
        self.last.append(&mut left);
        let surplus = self.last.len().saturating_sub(READ_AGAIN);
        self.last.drain(..surplus);
        // Those that the sweep itself moved there, or sent off, were looked at before.
        let met_again = known.min(self.moved_on);
        self.moved_on -= met_again;
        let again = seen + met_again;
        progress.left += stay - again;
        progress.looked_at += looked_at - again;
        let mut refused = None;
        for (at, result) in due.into_iter().zip(results) {
            match acted(Some(result)) {
                Ok(Acted::Done) => {
                    progress.done += 1;
                    self.moved_on += u64::from(self.deed.may_come_back());
                    if let Deed::Reschedule(to) = self.deed {
                        self.moved_on += u64::from(to > at);
                        if to < at {
                            // It stands somewhere before the next one now, perhaps between the two.
                            self.cursor += 1;
                            self.last.clear();
                        }
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

    /// At most so many entries that were not looked at yet. Others take entries away and add some, so that all that stand behind
    /// get other positions: it goes on behind the last of those that were left.
    async fn read(&mut self, most: usize) -> Result<Vec<SortedEntry>, ApiError> {
        loop {
            let from = self.cursor.saturating_sub(self.last.len() as u64);
            let limit = self.last.len() + most;
            let place = self.set.set.into();
            let page = self.set.api.page(&place, Order::Forward, from, limit);
            let mut page = page.await?;
            let behind = resume(&self.last, &page.entries);
            self.cursor = from + behind as u64;
            page.entries.drain(..behind);
            page.entries.truncate(most);
            // So many may have been added that nothing was read but them and what they stand before.
            if !page.entries.is_empty() || page.next.is_none() {
                return Ok(self.set.entries(page.entries));
            }
        }
    }

    /// What is done to an entry, unless it is left.
    fn transaction(&self, entry: &SortedEntry) -> Option<Tx> {
        let unwanted = self.filter.as_ref().is_some_and(|matches| !matches(entry));
        if self.is_known(entry) || unwanted {
            return None;
        }
        let mut tx = self.set.transaction(entry, self.deed).ok()?;
        tx.put_in_order();
        Some(tx)
    }

    /// Whether the sweep itself may have brought an entry there: it stands where it is to be moved, or is newer than the sweep.
    fn is_known(&self, entry: &SortedEntry) -> bool {
        let newer = || entry.since().is_some_and(|since| since > self.began);
        self.deed == Deed::Reschedule(entry.at()) || (self.deed.may_come_back() && newer())
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
