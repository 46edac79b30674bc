//! Which jobs an action is for.

use std::time::Duration;

use sancho::api::search::{Hit, Query, SearchLimits};
use sancho::api::{Api, JobRecord, JobSet, SortedEntry, Work};
use sancho::store::{Order, TimedSet};

use crate::args::{Chosen, Place};
use crate::error::{Error, Result};

/// A job where it stands.
#[derive(Debug)]
pub(crate) enum Standing {
    Queued(JobRecord),
    Timed(SortedEntry),
    Running(Work),
}

impl Standing {
    pub(crate) fn job(&self) -> &JobRecord {
        match self {
            Self::Queued(job) => job,
            Self::Timed(entry) => entry.job(),
            Self::Running(work) => &work.job,
        }
    }

    pub(crate) fn place(&self) -> String {
        match self {
            Self::Queued(job) => format!("queue:{}", job.queue()),
            Self::Timed(entry) => match entry.set() {
                TimedSet::Schedule => "scheduled".to_owned(),
                set => set.name().to_owned(),
            },
            Self::Running(_) => "running".to_owned(),
        }
    }
}

impl From<Hit> for Standing {
    fn from(hit: Hit) -> Self {
        match hit {
            Hit::Timed(entry) => Self::Timed(entry),
            Hit::Running(work) => Self::Running(work),
            hit => Self::Queued(hit.job().clone()),
        }
    }
}

/// How far a command looks at once: it has time, so only a page is the limit.
const WHOLE: SearchLimits = SearchLimits {
    hits: sancho::api::MAX_PAGE,
    looked_at: u64::MAX,
    time: Duration::MAX,
};

/// The set of a place, unless it is a queue.
pub(crate) fn set(api: &Api, place: &Place) -> Option<JobSet> {
    let set = match place {
        Place::Scheduled => TimedSet::Schedule,
        Place::Retry => TimedSet::Retry,
        Place::Dead => TimedSet::Dead,
        Place::Queue(_) => return None,
    };
    Some(api.set(set))
}

/// The jobs that were chosen. Ids that are found nowhere are one error, and nothing is chosen.
pub(crate) async fn jobs(api: &Api, chosen: &Chosen) -> Result<Vec<Standing>> {
    if let Some(query) = &chosen.matching {
        let query: Query = query.parse()?;
        let mut found = search(api, &query, u64::MAX).await?;
        found.retain(|job| is_in(job, chosen.place.as_ref()));
        return Ok(found);
    }
    if chosen.all {
        // The arguments require a place.
        let place = chosen
            .place
            .as_ref()
            .ok_or_else(|| Error::usage("--all needs --in PLACE"))?;
        return list(api, place, u64::MAX).await;
    }
    let mut found = Vec::with_capacity(chosen.jids.len());
    let mut missing = Vec::new();
    for jid in &chosen.jids {
        match find(api, jid, chosen.place.as_ref()).await? {
            Some(job) => found.push(job),
            None => missing.push(jid.as_str()),
        }
    }
    if missing.is_empty() {
        return Ok(found);
    }
    let place = chosen
        .place
        .as_ref()
        .map_or_else(|| "anywhere".to_owned(), |place| format!("in {place}"));
    Err(Error::failed(format!(
        "not found {place}, so nothing was done: {}",
        missing.join(", ")
    )))
}

/// The job with this id: in the sets first, which find it by themselves, then in queues and what runs.
pub(crate) async fn find(api: &Api, jid: &str, place: Option<&Place>) -> Result<Option<Standing>> {
    if jid.is_empty() {
        return Err(Error::usage("the id of a job is empty"));
    }
    match place {
        Some(Place::Queue(name)) => {
            return Ok(api.queue(name)?.find(jid).await?.map(Standing::Queued));
        }
        Some(place) => {
            let found = match set(api, place) {
                Some(set) => set.find(jid).await?,
                None => None,
            };
            return Ok(found.map(Standing::Timed));
        }
        None => {}
    }
    for set in [TimedSet::Retry, TimedSet::Dead, TimedSet::Schedule] {
        if let Some(entry) = api.set(set).find(jid).await? {
            return Ok(Some(Standing::Timed(entry)));
        }
    }
    if let Some(work) = api.find_work(jid).await? {
        return Ok(Some(Standing::Running(work)));
    }
    for queue in api.queues().await? {
        if let Some(job) = api.queue(&queue.name)?.find(jid).await? {
            return Ok(Some(Standing::Queued(job)));
        }
    }
    Ok(None)
}

/// What a search finds, at most so many.
pub(crate) async fn search(api: &Api, query: &Query, limit: u64) -> Result<Vec<Standing>> {
    let mut found = Vec::new();
    let mut cursor = None;
    loop {
        let part = api.search(query, cursor.as_ref(), WHOLE).await?;
        found.extend(part.hits.into_iter().map(Standing::from));
        if found.len() as u64 >= limit {
            found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            return Ok(found);
        }
        cursor = part.next;
        if cursor.is_none() {
            return Ok(found);
        }
    }
}

/// The jobs of a place, at most so many: those that come next first; in the dead set the latest.
pub(crate) async fn list(api: &Api, place: &Place, limit: u64) -> Result<Vec<Standing>> {
    let mut found = Vec::new();
    let mut cursor = Some(0);
    while let Some(from) = cursor {
        let left = limit - found.len() as u64;
        if left == 0 {
            break;
        }
        let page = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(sancho::api::MAX_PAGE);
        cursor = match (place, set(api, place)) {
            (Place::Queue(name), _) => {
                let page = api.queue(name)?.page(Order::Forward, from, page).await?;
                found.extend(page.jobs.into_iter().map(Standing::Queued));
                page.next
            }
            (place, Some(set)) => {
                let order = if *place == Place::Dead {
                    Order::Backward
                } else {
                    Order::Forward
                };
                let page = set.page(order, from, page).await?;
                found.extend(page.entries.into_iter().map(Standing::Timed));
                page.next
            }
            (_, None) => None,
        };
    }
    Ok(found)
}

fn is_in(job: &Standing, place: Option<&Place>) -> bool {
    place.is_none_or(|place| job.place() == place.to_string())
}
