//! Looking.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};

use super::claim::claimed;
use super::commit::{members, number, place};
use super::{SqliteStore, name};
use crate::job::Timestamp;
use crate::store::{
    Answer, Census, Claimed, Due, Entry, Inspect, Members, Owner, OwnerInfo, Page, PlaceName,
    QueueInfo, Stat, TimedSet, Unavailable,
};

impl SqliteStore {
    /// Looks, on a thread that may block.
    fn look<'a, T: Send + 'static>(
        &'a self,
        look: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Answer<'a, T> {
        let reader = self.reader.clone();
        Box::pin(async move {
            // A look changes nothing, so a lock that is poisoned by a panic is as good as another.
            let work = move || look(&reader.lock().unwrap_or_else(PoisonError::into_inner));
            match tokio::task::spawn_blocking(work).await {
                Ok(result) => result.map_err(|error| {
                    Unavailable::new(name(&self.path), error.to_string())
                        .unsent()
                        .because(error)
                }),
                Err(error) => Err(Unavailable::new(name(&self.path), error.to_string()).unsent()),
            }
        })
    }
}

impl Inspect for SqliteStore {
    fn page<'a>(&'a self, at: &'a PlaceName, cursor: u64, limit: usize) -> Answer<'a, Page> {
        let at = at.clone();
        self.look(move |connection| page(connection, &at, cursor, limit))
    }

    fn due(&self, set: TimedSet, now: Timestamp, limit: usize) -> Answer<'_, Due> {
        self.look(move |connection| {
            let mut select = connection.prepare_cached(
                "SELECT payload, at FROM timed WHERE place = ?1 ORDER BY at, payload LIMIT ?2",
            )?;
            let mut rows =
                select.query(params![place(set), number(limit as u64).saturating_add(1)])?;
            let mut due = Due::default();
            while let Some(row) = rows.next()? {
                let at = Timestamp::from_micros(row.get(1)?);
                if at > now || due.entries.len() == limit {
                    due.next = Some(at);
                    break;
                }
                due.entries.push(Entry {
                    payload: Bytes::from(row.get::<_, Vec<u8>>(0)?),
                    at: Some(at),
                });
            }
            Ok(due)
        })
    }

    fn find<'a>(&'a self, set: TimedSet, payload: &'a [u8]) -> Answer<'a, Option<Timestamp>> {
        let payload = payload.to_vec();
        self.look(move |connection| {
            let mut select = connection
                .prepare_cached("SELECT at FROM timed WHERE place = ?1 AND payload = ?2")?;
            select
                .query_row(params![place(set), payload], |row| {
                    row.get(0).map(Timestamp::from_micros)
                })
                .optional()
        })
    }

    fn census(&self) -> Answer<'_, Census> {
        self.look(census)
    }

    fn counter<'a>(&'a self, stat: Stat, day: Option<&'a str>) -> Answer<'a, u64> {
        let day = day.unwrap_or_default().to_owned();
        self.look(move |connection| {
            let mut select =
                connection.prepare_cached("SELECT n FROM counter WHERE name = ?1 AND day = ?2")?;
            Ok(select
                .query_row(params![stat.name(), day], |row| row.get(0))
                .optional()?
                .map_or(0, unsigned))
        })
    }

    fn members(&self, set: Members) -> Answer<'_, Vec<String>> {
        self.look(move |connection| {
            let mut select = connection
                .prepare_cached("SELECT name FROM member WHERE place = ?1 ORDER BY name")?;
            select
                .query_map([members(set)], |row| row.get(0))?
                .collect()
        })
    }

    fn owners(&self) -> Answer<'_, Vec<OwnerInfo>> {
        let now = self.time.lease();
        self.look(move |connection| {
            let mut select = connection.prepare_cached(
                "SELECT name, iif(boot = ?1, deadline - ?2, 0), (SELECT count(*) FROM claim WHERE owner = owner.id)
                 FROM owner ORDER BY name",
            )?;
            let rows = select.query_map(params![&*now.boot, now.micros], |row| {
                Ok(OwnerInfo {
                    owner: Owner::from_text(&row.get::<_, String>(0)?),
                    left: Duration::from_micros(unsigned(row.get(1)?)),
                    held: unsigned(row.get(2)?),
                })
            })?;
            rows.collect()
        })
    }

    fn claims<'a>(&'a self, owner: &'a Owner, limit: usize) -> Answer<'a, Vec<Claimed>> {
        let owner = owner.clone();
        self.look(move |connection| {
            let mut select = connection.prepare_cached(
                "SELECT token, queue.name, recoveries, payload FROM claim JOIN queue ON queue.id = claim.queue
                 WHERE owner = (SELECT id FROM owner WHERE name = ?1) ORDER BY token LIMIT ?2",
            )?;
            select.query_map(params![owner.as_str(), number(limit as u64)], claimed)?.collect()
        })
    }
}

fn page(
    connection: &Connection,
    at: &PlaceName,
    cursor: u64,
    limit: usize,
) -> rusqlite::Result<Page> {
    let (cursor_row, limit_rows) = (number(cursor), number(limit as u64).saturating_add(1));
    let mut entries: Vec<Entry> = match at {
        PlaceName::Queue(name) => {
            let mut select = connection.prepare_cached(
                "SELECT payload FROM ready WHERE queue = (SELECT id FROM queue WHERE name = ?1) ORDER BY pos LIMIT ?2 OFFSET ?3",
            )?;
            let rows =
                select.query_map(params![Arc::as_ref(name), limit_rows, cursor_row], |row| {
                    Ok(Entry {
                        payload: Bytes::from(row.get::<_, Vec<u8>>(0)?),
                        at: None,
                    })
                })?;
            rows.collect::<rusqlite::Result<_>>()?
        }
        PlaceName::Timed(set) => {
            let mut select = connection
                .prepare_cached("SELECT payload, at FROM timed WHERE place = ?1 ORDER BY at, payload LIMIT ?2 OFFSET ?3")?;
            let rows = select.query_map(params![place(*set), limit_rows, cursor_row], |row| {
                Ok(Entry {
                    payload: Bytes::from(row.get::<_, Vec<u8>>(0)?),
                    at: Some(Timestamp::from_micros(row.get(1)?)),
                })
            })?;
            rows.collect::<rusqlite::Result<_>>()?
        }
    };
    let more = entries.len() > limit;
    entries.truncate(limit);
    Ok(Page {
        next: more.then(|| cursor + entries.len() as u64),
        entries,
    })
}

fn census(connection: &Connection) -> rusqlite::Result<Census> {
    let mut queues = connection.prepare_cached(
        "SELECT member.name, (SELECT count(*) FROM ready WHERE queue = queue.id),
                (SELECT payload FROM ready WHERE queue = queue.id ORDER BY pos LIMIT 1)
         FROM member LEFT JOIN queue ON queue.name = member.name WHERE place = ?1
         ORDER BY member.name",
    )?;
    let rows = queues.query_map([members(Members::Queues)], |row| {
        let head = row.get::<_, Option<Vec<u8>>>(2)?.map(Bytes::from);
        Ok(QueueInfo {
            name: row.get(0)?,
            size: unsigned(row.get(1)?),
            head,
        })
    })?;
    let queues = rows.collect::<rusqlite::Result<_>>()?;
    let mut timed = connection.prepare_cached("SELECT count(*) FROM timed WHERE place = ?1")?;
    let mut size = |set| timed.query_row([place(set)], |row| row.get(0).map(unsigned));
    Ok(Census {
        queues,
        schedule: size(TimedSet::Schedule)?,
        retry: size(TimedSet::Retry)?,
        dead: size(TimedSet::Dead)?,
        claimed: connection.query_row("SELECT count(*) FROM claim", [], |row| {
            row.get(0).map(unsigned)
        })?,
    })
}

fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}
