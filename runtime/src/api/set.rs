//! The timed sets: the schedule, the retry set, the dead set.

use std::sync::Arc;

use bytes::Bytes;

use super::entry::parse_id;
use super::error::not_empty;
use super::place::{MAX_PAGE, check_limit};
use super::sweep::Deed;
use super::walk::Walk;
use super::{Acted, Api, ApiError, JobRecord, SortedEntry, Sweep};
use crate::engine::{Dying, HOOK_TIMEOUT};
use crate::job::Timestamp;
use crate::job::payload::{Edit, splice};
use crate::store::{Effect, End, Entry, Guard, Order, Place, TimedSet, Tx};

/// The latest time that an entry can be put back at: the end of the year 9999, the last with four digits.
const LATEST: Timestamp = Timestamp::from_millis(253_402_300_799_999);

/// A timed set to look into and to act on.
///
/// Each action is one transaction on the exact bytes of an entry; see [`Acted`].
#[derive(Clone, Debug)]
pub struct JobSet {
    pub(super) api: Api,
    pub(super) set: TimedSet,
}

/// A part of a timed set.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct EntryPage {
    /// The entries, in order.
    pub entries: Vec<SortedEntry>,
    /// The cursor of the next page; `None` after the last.
    pub next: Option<u64>,
}

/// What a part of a search has found.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Scan {
    /// What was found, in no order.
    pub entries: Vec<SortedEntry>,
    /// About how many entries were looked at for it.
    pub looked_at: u64,
    /// The cursor of the next part; `None` where the whole set was looked at.
    pub next: Option<u64>,
}

/// A walk through all entries of a timed set: [`JobSet::each`].
#[derive(Debug)]
pub struct Entries {
    walk: Walk,
    set: TimedSet,
}

impl Api {
    /// The jobs that wait for their time.
    #[must_use]
    pub fn scheduled(&self) -> JobSet {
        self.set(TimedSet::Schedule)
    }

    /// The jobs that wait for another try.
    ///
    /// ```
    /// # use sancho::{Client, Config, api::Api};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let api = Api::new(&Client::connect(Config::new().store("memory:")).await?);
    /// let retries = api.retries();
    /// let mut cursor = Some(0);
    /// while let Some(from) = cursor {
    ///     let part = retries.scan("ReadTimeout", from, 500).await?;
    ///     for entry in &part.entries {
    ///         println!("{} {}", entry.id(), entry.display_class());
    ///         let _ = retries.retry(entry).await?;
    ///     }
    ///     cursor = part.next;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn retries(&self) -> JobSet {
        self.set(TimedSet::Retry)
    }

    /// The jobs that were given up.
    #[must_use]
    pub fn dead(&self) -> JobSet {
        self.set(TimedSet::Dead)
    }

    /// One of them.
    #[must_use]
    pub fn set(&self, set: TimedSet) -> JobSet {
        JobSet {
            api: self.clone(),
            set,
        }
    }
}

impl JobSet {
    /// Its name in Sidekiq: `schedule`, `retry` or `dead`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.set.name()
    }

    /// How many jobs it has. Costs as much as [`Api::queues`].
    ///
    /// # Errors
    /// A store that gives no answer.
    pub async fn size(&self) -> Result<u64, ApiError> {
        let census = self.api.store().census().await;
        let census = census.map_err(ApiError::unavailable)?;
        Ok(match self.set {
            TimedSet::Schedule => census.schedule,
            TimedSet::Retry => census.retry,
            TimedSet::Dead => census.dead,
        })
    }

    /// At most `limit` entries from `cursor` (0, or the last page's `next`) on: forward from the earliest, backward from the
    /// latest. A cursor beyond the end gives an empty page.
    ///
    /// # Errors
    /// A limit that is not 1 to [`MAX_PAGE`]; a store that gives no answer.
    pub async fn page(
        &self,
        order: Order,
        cursor: u64,
        limit: usize,
    ) -> Result<EntryPage, ApiError> {
        let page = self
            .api
            .page(&self.set.into(), order, cursor, limit)
            .await?;
        Ok(EntryPage {
            entries: self.entries(page.entries),
            next: page.next,
        })
    }

    /// All entries, the latest first, as in Sidekiq. A round trip for each hundred. Entries may be acted on and added meanwhile: one
    /// that stays is seen, unless more than a hundred before it go away between two reads.
    #[must_use]
    pub fn each(&self) -> Entries {
        Entries {
            walk: Walk::new(&self.api, self.set.into(), Order::Backward),
            set: self.set,
        }
    }

    /// Looks through a part of the set for payloads that contain this text: about `limit` entries from `cursor` (0, or the last
    /// part's `next`) on. A part may have found nothing, and there may still be more.
    ///
    /// # Errors
    /// An empty text; a limit that is not 1 to [`MAX_PAGE`]; a store that gives no answer.
    pub async fn scan(&self, text: &str, cursor: u64, limit: usize) -> Result<Scan, ApiError> {
        not_empty("the text to look for", text)?;
        check_limit(limit)?;
        let page = self.api.store().scan(self.set, text, cursor, limit).await;
        let page = page.map_err(ApiError::unavailable)?;
        Ok(Scan {
            entries: self.entries(page.entries),
            looked_at: limit as u64,
            next: page.next,
        })
    }

    /// The entry of the job with this id. Goes through the whole set inside of the store: O(n), a round trip for each thousand.
    /// Where its time is known, [`entry`](Self::entry) and [`fetch`](Self::fetch) do not.
    ///
    /// # Errors
    /// An empty id; a store that gives no answer.
    pub async fn find(&self, jid: &str) -> Result<Option<SortedEntry>, ApiError> {
        not_empty("the id of a job", jid)?;
        // An id stands in a payload as it is, unless JSON has to escape it.
        let text = serde_json::Value::from(jid).to_string();
        let mut cursor = 0;
        loop {
            let scan = self.scan(&text, cursor, MAX_PAGE).await?;
            let mut found = scan.entries.into_iter();
            if let Some(entry) = found.find(|entry| entry.jid().as_str() == jid) {
                return Ok(Some(entry));
            }
            match scan.next {
                Some(next) => cursor = next,
                None => return Ok(None),
            }
        }
    }

    /// The entries of exactly this time, those of this job where one is named. A round trip for each thousand entries of that time.
    ///
    /// # Errors
    /// A store that gives no answer.
    pub async fn fetch(
        &self,
        at: Timestamp,
        jid: Option<&str>,
    ) -> Result<Vec<SortedEntry>, ApiError> {
        let mut found = Vec::new();
        let mut cursor = Some(0);
        while let Some(from) = cursor {
            let page = self.api.store().at(self.set, at, from, MAX_PAGE).await;
            let page = page.map_err(ApiError::unavailable)?;
            cursor = page.next;
            let entries = self.entries(page.entries).into_iter();
            found.extend(entries.filter(|entry| jid.is_none_or(|jid| entry.jid().as_str() == jid)));
        }
        Ok(found)
    }

    /// The entry of this name ([`SortedEntry::id`]), if it stands there.
    ///
    /// # Errors
    /// A text that is no such name; a store that gives no answer.
    pub async fn entry(&self, id: &str) -> Result<Option<SortedEntry>, ApiError> {
        let (at, jid) = parse_id(id)?;
        let mut found = self.fetch(at, Some(jid)).await?;
        Ok(if found.is_empty() {
            None
        } else {
            Some(found.swap_remove(0))
        })
    }

    /// Deletes an entry.
    ///
    /// # Errors
    /// A store that gives no answer, or refuses.
    pub async fn delete(&self, entry: &SortedEntry) -> Result<Acted, ApiError> {
        self.act(entry, Deed::Delete).await
    }

    /// Moves an entry to another time. Its bytes stay.
    ///
    /// # Errors
    /// An entry of the dead set, which waits for nothing; a time that is more than 100 years from now
    /// ([`FARTHEST`](crate::job::FARTHEST)); a store that gives no answer, or refuses.
    pub async fn reschedule(&self, entry: &SortedEntry, at: Timestamp) -> Result<Acted, ApiError> {
        self.act(entry, Deed::Reschedule(at)).await
    }

    /// Tries a job again now: puts it into its queue, with a `retry_count` of one less, so that the try by hand does not count, as
    /// in Sidekiq. Client middleware is not run again.
    ///
    /// # Errors
    /// A payload that is no job; a store that gives no answer, or refuses.
    pub async fn retry(&self, entry: &SortedEntry) -> Result<Acted, ApiError> {
        self.act(entry, Deed::Retry).await
    }

    /// Puts a job into its queue now, as it is.
    ///
    /// # Errors
    /// A payload that is no job; a store that gives no answer, or refuses.
    pub async fn add_to_queue(&self, entry: &SortedEntry) -> Result<Acted, ApiError> {
        self.act(entry, Deed::AddToQueue).await
    }

    /// Gives a job up: moves it to the dead set, byte for byte, and drops what the dead set has too much. Then the death
    /// handlers of this [`Api`] are told, as in Sidekiq: of the error `sancho::Killed`, at most once, since this process may end
    /// between the two.
    ///
    /// # Errors
    /// An entry of the dead set; a store that gives no answer, or refuses.
    pub async fn kill(&self, entry: &SortedEntry) -> Result<Acted, ApiError> {
        let acted = self.act(entry, Deed::Kill).await?;
        if acted.is_done() {
            let payload = entry.job().payload().clone();
            let dying = Dying::new(payload, true, "sancho::Killed", "Job killed by API");
            self.api.death_handlers.tell(&dying, HOOK_TIMEOUT).await;
        }
        Ok(acted)
    }

    /// Puts a payload into the set at a time, byte for byte: what was exported, for instance, so the time may be any that Ruby can have
    /// written. The same bytes stand in a set once.
    ///
    /// # Errors
    /// A payload that is no job, but for the dead set; a time after the year 9999; a store that gives no answer, or refuses.
    pub async fn put(&self, at: Timestamp, payload: impl Into<Bytes>) -> Result<(), ApiError> {
        if at > LATEST {
            return Err(ApiError::invalid("the time is after the year 9999"));
        }
        let mut job = JobRecord::read(payload);
        if self.set != TimedSet::Dead {
            job = job.checked()?;
        }
        let put = Effect::Put(job.payload().clone(), self.place(at));
        self.api.act(Tx::always(vec![put])).await.map(|_| ())
    }

    /// Deletes all entries at once, those that come meanwhile included.
    ///
    /// # Errors
    /// A store that gives no answer, or refuses.
    pub async fn clear(&self) -> Result<(), ApiError> {
        let clear = Effect::Clear(self.set.into());
        self.api.act(Tx::always(vec![clear])).await.map(|_| ())
    }

    /// Deletes all entries, in pages.
    pub fn delete_all(&self) -> Sweep {
        Sweep::new(self, Deed::Delete)
    }

    /// Moves all entries to another time, in pages. What is there already is left.
    pub fn reschedule_all(&self, at: Timestamp) -> Sweep {
        Sweep::new(self, Deed::Reschedule(at))
    }

    /// Tries all jobs again, in pages; see [`retry`](Self::retry). Payloads that are no jobs are left.
    pub fn retry_all(&self) -> Sweep {
        Sweep::new(self, Deed::Retry)
    }

    /// Puts all jobs into their queues, in pages; see [`add_to_queue`](Self::add_to_queue). Payloads that are no jobs are left.
    pub fn add_all_to_queue(&self) -> Sweep {
        Sweep::new(self, Deed::AddToQueue)
    }

    /// Gives all jobs up, in pages; see [`kill`](Self::kill). No death handler is told, as in Sidekiq.
    pub fn kill_all(&self) -> Sweep {
        Sweep::new(self, Deed::Kill)
    }

    pub(super) fn entries(&self, entries: Vec<Entry>) -> Vec<SortedEntry> {
        let entry = |entry| SortedEntry::new(self.set, entry);
        entries.into_iter().map(entry).collect()
    }

    async fn act(&self, entry: &SortedEntry, deed: Deed) -> Result<Acted, ApiError> {
        self.allows(deed)?;
        self.api.act(self.transaction(entry, deed)?).await
    }

    /// Refuses what makes no sense for any entry of this set.
    pub(super) fn allows(&self, deed: Deed) -> Result<(), ApiError> {
        match deed {
            Deed::Kill if self.set == TimedSet::Dead => Err(ApiError::invalid(
                "a job of the dead set cannot be killed: it is dead",
            )),
            Deed::Reschedule(_) if self.set == TimedSet::Dead => Err(ApiError::invalid(
                "a job of the dead set cannot be rescheduled, since it waits for nothing: retry it",
            )),
            Deed::Reschedule(at) if at.is_too_far(self.api.now()) => Err(ApiError::invalid(
                "the time is more than 100 years from now: give an earlier one",
            )),
            _ => Ok(()),
        }
    }

    /// The transaction that does it, if the entry still stands there.
    pub(super) fn transaction(&self, entry: &SortedEntry, deed: Deed) -> Result<Tx, ApiError> {
        let payload = entry.payload().clone();
        let take = Effect::Take(self.set.into(), payload.clone());
        let now = self.api.now();
        let then = match deed {
            Deed::Delete => vec![take],
            // Putting the same bytes again moves them.
            Deed::Reschedule(at) => vec![Effect::Put(payload.clone(), self.place(at))],
            Deed::Retry => vec![self.push(entry, true, now)?, take],
            Deed::AddToQueue => vec![self.push(entry, false, now)?, take],
            Deed::Kill => {
                let dead = Place::Timed {
                    set: TimedSet::Dead,
                    at: now,
                };
                vec![Effect::Put(payload.clone(), dead), take, self.api.trim(now)]
            }
        };
        Ok(Tx::when(Guard::Contains(self.set.into(), payload), then))
    }

    /// Puts the job into its queue.
    fn push(&self, entry: &SortedEntry, uncount: bool, now: Timestamp) -> Result<Effect, ApiError> {
        if let Some(problem) = entry.problem() {
            return Err(ApiError::Invalid(problem));
        }
        let mut edits = vec![
            Edit::Set("enqueued_at", self.api.wire.time(now).into()),
            Edit::Remove("at"),
        ];
        if let Some(count) = entry.retry_count().filter(|_| uncount) {
            edits.push(Edit::integer("retry_count", count.saturating_sub(1)));
        }
        let payload = splice(entry.payload(), &edits)
            .ok_or_else(|| ApiError::invalid("the payload is not a job: it is no JSON object"))?;
        let name: Arc<str> = match entry.queue() {
            "" => "default".into(),
            queue => queue.into(),
        };
        let place = Place::Queue {
            name,
            end: End::Tail,
        };
        Ok(Effect::Put(payload.into(), place))
    }

    fn place(&self, at: Timestamp) -> Place {
        Place::Timed { set: self.set, at }
    }
}

impl Entries {
    /// The next entry; `None` after the last.
    ///
    /// # Errors
    /// A store that gives no answer; asking again goes on.
    pub async fn next(&mut self) -> Result<Option<SortedEntry>, ApiError> {
        let entry = self.walk.next().await?;
        Ok(entry.map(|entry| SortedEntry::new(self.set, entry)))
    }
}
