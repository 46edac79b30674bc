//! Looking for jobs in every place, a bounded part at a time.

mod query;

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

pub use query::{Query, State};

use super::place::check_limit;
use super::{Api, ApiError, JobRecord, SortedEntry, Work};
use crate::store::{Order, PlaceName, TimedSet};

/// How many entries are read at once.
const PAGE: usize = 500;

/// A job that was found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Hit {
    /// It waits in a queue.
    Queued {
        /// The job.
        job: JobRecord,
        /// Where it stands, 0 for the next one: queues move, so it is looked for around there.
        position: u64,
    },
    /// It stands in a timed set.
    Timed(SortedEntry),
    /// A process says that it runs it.
    Running(Work),
}

/// What a part of a search has found.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Found {
    /// The jobs, in the order of [`State::ALL`], in sets the latest first, in queues the next first.
    pub hits: Vec<Hit>,
    /// How many jobs this part has looked at.
    pub looked_at: u64,
    /// Where to go on; `None` where everything was looked at.
    pub next: Option<SearchCursor>,
}

/// How far a part of a search goes: until the first of the three is reached.
#[derive(Clone, Copy, Debug)]
pub struct SearchLimits {
    /// So many hits. Defaults to 50.
    pub hits: usize,
    /// So many jobs, to the next whole page. Defaults to 50,000.
    pub looked_at: u64,
    /// So long, to the next whole page. Defaults to 150 ms.
    pub time: Duration,
}

impl Default for SearchLimits {
    fn default() -> Self {
        Self {
            hits: 50,
            looked_at: 50_000,
            time: Duration::from_millis(150),
        }
    }
}

/// What of a job may be seen by whoever searches.
pub type Shown<'a> = dyn Fn(&JobRecord) -> JobRecord + Send + Sync + 'a;

/// Where a search goes on. Its text (`retry:1500`, `queued:200:mailers`) can be kept in a link: jobs that come and go meanwhile may be seen
/// twice or missed, as in any page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchCursor {
    state: State,
    position: u64,
    /// The queue, where it is one.
    queue: Option<String>,
}

impl Api {
    /// Looks for jobs: from the start, or from where an earlier part has ended. A part that found nothing may not be the last.
    ///
    /// Nothing is indexed: each job of the places that the query allows is read, a round trip for each 500. `state:` and `queue:`
    /// make that less; `jid:` ends it with the first hit.
    ///
    /// ```
    /// # use sancho::{Client, Config, api::{Api, search::{Query, SearchLimits}}};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let api = Api::new(&Client::connect(Config::new().store("memory:")).await?);
    /// let query: Query = "class:WelcomeEmail state:retry error:timeout since:1h".parse()?;
    /// let (mut looked_at, mut cursor) = (0, None);
    /// loop {
    ///     let found = api.search(&query, cursor.as_ref(), SearchLimits::default()).await?;
    ///     looked_at += found.looked_at;
    ///     for hit in &found.hits {
    ///         println!("{} {}", hit.state(), hit.job().jid());
    ///     }
    ///     println!("{looked_at} jobs looked at");
    ///     cursor = found.next;
    ///     if cursor.is_none() {
    ///         break;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A limit of hits that is not 1 to [`MAX_PAGE`](super::MAX_PAGE); a store that gives no answer.
    pub async fn search(
        &self,
        query: &Query,
        from: Option<&SearchCursor>,
        limits: SearchLimits,
    ) -> Result<Found, ApiError> {
        self.part_of_search(query, from, limits, None).await
    }

    /// The same, where a job is looked at as `shown` has it: what is left out there is not found, and so cannot be guessed either.
    ///
    /// # Errors
    /// As [`search`](Self::search).
    pub async fn search_shown(
        &self,
        query: &Query,
        from: Option<&SearchCursor>,
        limits: SearchLimits,
        shown: &Shown<'_>,
    ) -> Result<Found, ApiError> {
        self.part_of_search(query, from, limits, Some(shown)).await
    }

    async fn part_of_search(
        &self,
        query: &Query,
        from: Option<&SearchCursor>,
        limits: SearchLimits,
        shown: Option<&Shown<'_>>,
    ) -> Result<Found, ApiError> {
        check_limit(limits.hits)?;
        let mut part = Part {
            api: self,
            query,
            limits,
            shown,
            began: Instant::now(),
            found: Found::default(),
        };
        let start = match from {
            Some(cursor) => Some(cursor.clone()),
            None => part.first(None),
        };
        part.run(start).await?;
        Ok(part.found)
    }
}

/// A part of a search under way.
struct Part<'a> {
    api: &'a Api,
    query: &'a Query,
    limits: SearchLimits,
    shown: Option<&'a Shown<'a>>,
    began: Instant,
    found: Found,
}

impl Part<'_> {
    async fn run(&mut self, start: Option<SearchCursor>) -> Result<(), ApiError> {
        let mut cursor = start;
        while let Some(at) = cursor {
            if self.is_spent() {
                self.found.next = Some(at);
                return Ok(());
            }
            cursor = match at.state {
                State::Running => self.running().await?,
                State::Retry => self.timed(TimedSet::Retry, at).await?,
                State::Dead => self.timed(TimedSet::Dead, at).await?,
                State::Scheduled => self.timed(TimedSet::Schedule, at).await?,
                State::Queued => self.queued(at).await?,
            };
            if self.query.jid().is_some() && !self.found.hits.is_empty() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn is_spent(&self) -> bool {
        self.found.looked_at > 0
            && (self.found.hits.len() >= self.limits.hits
                || self.found.looked_at >= self.limits.looked_at
                || self.began.elapsed() >= self.limits.time)
    }

    /// The first place behind a state that the query allows.
    fn first(&self, behind: Option<State>) -> Option<SearchCursor> {
        let mut states = State::ALL
            .into_iter()
            .filter(|state| behind.is_none_or(|last| *state > last));
        states
            .find(|state| self.query.allows_state(*state))
            .map(|state| SearchCursor {
                state,
                position: 0,
                queue: None,
            })
    }

    async fn running(&mut self) -> Result<Option<SearchCursor>, ApiError> {
        let work = self.api.work().await?;
        self.take(work.into_iter().map(Hit::Running));
        Ok(self.first(Some(State::Running)))
    }

    async fn timed(
        &mut self,
        set: TimedSet,
        at: SearchCursor,
    ) -> Result<Option<SearchCursor>, ApiError> {
        let page = self
            .api
            .set(set)
            .page(Order::Backward, at.position, PAGE)
            .await?;
        let taken = self.take(page.entries.into_iter().map(Hit::Timed));
        Ok(self.go_on(at, taken, page.next))
    }

    async fn queued(&mut self, at: SearchCursor) -> Result<Option<SearchCursor>, ApiError> {
        let Some(queue) = at.queue.clone() else {
            return self.next_queue(None).await;
        };
        let place = PlaceName::Queue(queue.as_str().into());
        let page = self
            .api
            .page(&place, Order::Forward, at.position, PAGE)
            .await?;
        let hits = page.entries.into_iter().zip(at.position..);
        let taken = self.take(hits.map(|(entry, position)| Hit::Queued {
            job: JobRecord::new(entry.payload, Some(&queue)),
            position,
        }));
        match self.go_on(at, taken, page.next) {
            Some(cursor) => Ok(Some(cursor)),
            None => self.next_queue(Some(&queue)).await,
        }
    }

    /// The beginning of the first queue behind this one, by name, that the query allows.
    async fn next_queue(&self, behind: Option<&str>) -> Result<Option<SearchCursor>, ApiError> {
        let queues = self.api.queues().await?;
        let mut names = queues.into_iter().map(|queue| queue.name);
        let next = names
            .find(|name| behind.is_none_or(|last| &**name > last) && self.query.allows_queue(name));
        Ok(next.map(|queue| SearchCursor {
            state: State::Queued,
            position: 0,
            queue: Some(queue),
        }))
    }

    /// Keeps what is looked for, up to the limit, and says how many were looked at.
    fn take(&mut self, jobs: impl Iterator<Item = Hit>) -> u64 {
        let now = self.api.now();
        let mut taken = 0;
        for hit in jobs {
            // Running jobs cannot be gone on with, so none of them is left out.
            if self.found.hits.len() >= self.limits.hits && !matches!(hit, Hit::Running(_)) {
                break;
            }
            taken += 1;
            let shown = self.shown.map(|shown| shown(hit.job()));
            if self
                .query
                .matches(&hit, shown.as_ref().unwrap_or(hit.job()), now)
            {
                self.found.hits.push(hit);
            }
        }
        self.found.looked_at += taken;
        taken
    }

    /// Where to go on behind a page of which so many were looked at.
    fn go_on(&self, at: SearchCursor, taken: u64, next: Option<u64>) -> Option<SearchCursor> {
        let position = at.position + taken;
        if next.is_some_and(|next| next > position) || self.found.hits.len() >= self.limits.hits {
            return Some(SearchCursor { position, ..at });
        }
        match next {
            Some(position) => Some(SearchCursor { position, ..at }),
            None if at.state == State::Queued => None,
            None => self.first(Some(at.state)),
        }
    }
}

impl Hit {
    /// The job.
    #[must_use]
    pub fn job(&self) -> &JobRecord {
        match self {
            Self::Queued { job, .. } => job,
            Self::Timed(entry) => entry.job(),
            Self::Running(work) => &work.job,
        }
    }

    /// Where it was found.
    #[must_use]
    pub fn state(&self) -> State {
        match self {
            Self::Queued { .. } => State::Queued,
            Self::Timed(entry) => match entry.set() {
                TimedSet::Schedule => State::Scheduled,
                TimedSet::Retry => State::Retry,
                TimedSet::Dead => State::Dead,
            },
            Self::Running(_) => State::Running,
        }
    }

    /// The queue that it waits in, comes from or goes to.
    #[must_use]
    pub fn queue(&self) -> &str {
        match self {
            Self::Running(work) => &work.queue,
            hit => hit.job().queue(),
        }
    }
}

impl fmt::Display for SearchCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.state, self.position)?;
        self.queue
            .iter()
            .try_for_each(|queue| write!(f, ":{queue}"))
    }
}

impl FromStr for SearchCursor {
    type Err = ApiError;

    /// # Errors
    /// A text that is none of a cursor.
    fn from_str(text: &str) -> Result<Self, ApiError> {
        let mut parts = text.splitn(3, ':');
        let state = parts
            .next()
            .and_then(|name| State::ALL.into_iter().find(|state| state.name() == name));
        let position = parts.next().and_then(|position| position.parse().ok());
        match (state, position, parts.next()) {
            (Some(state), Some(position), queue) if queue.is_none() || state == State::Queued => {
                Ok(Self {
                    state,
                    position,
                    queue: queue.map(str::to_owned),
                })
            }
            _ => Err(ApiError::Invalid(format!(
                "`{text}` is not where a search can go on: begin it anew"
            ))),
        }
    }
}
