//! Looking.

use std::sync::PoisonError;
use std::time::Duration;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};

use super::check::check;
use super::claim::claimed;
use super::commit::{members, number, place};
use super::page::{Marks, entry, page, part_of, scan};
use super::{SqliteStore, name, notes};
use crate::job::Timestamp;
use crate::store::{
    Answer, Census, Claimed, Defect, Due, Entry, Fields, Inspect, Key, Members, Order, Owner,
    OwnerInfo, Page, PlaceName, QueueInfo, Stat, TimedSet, Unavailable,
};

impl SqliteStore {
    /// Looks, on a thread that may block.
    fn look<'a, T: Send + 'static>(
        &'a self,
        look: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Answer<'a, T> {
        let reader = self.reader.clone();
        Box::pin(async move {
            let work = move || {
                // A look changes nothing, so a lock that is poisoned by a panic is as good as another.
                let reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
                // What several statements see is of one moment.
                look(&*reader.unchecked_transaction()?)
            };
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

    fn look_for_a_page<'a>(
        &'a self,
        look: impl FnOnce(&Connection, &mut Marks) -> rusqlite::Result<Page> + Send + 'static,
    ) -> Answer<'a, Page> {
        let marks = self.marks.clone();
        self.look(move |connection| {
            let mut marks = marks.lock().unwrap_or_else(PoisonError::into_inner);
            look(connection, &mut marks)
        })
    }

    fn look_at_notes<'a, T: Send + 'static>(
        &'a self,
        keys: &'a [Key],
        look: fn(&Connection, &Key, Timestamp) -> rusqlite::Result<T>,
    ) -> Answer<'a, Vec<T>> {
        let (keys, now) = (keys.to_vec(), self.time.now());
        self.look(move |connection| keys.iter().map(|key| look(connection, key, now)).collect())
    }
}

impl Inspect for SqliteStore {
    fn page<'a>(
        &'a self,
        at: &'a PlaceName,
        order: Order,
        cursor: u64,
        limit: usize,
    ) -> Answer<'a, Page> {
        let at = at.clone();
        self.look_for_a_page(move |connection, marks| {
            page(connection, marks, &at, order, cursor, limit)
        })
    }

    fn scan<'a>(
        &'a self,
        set: TimedSet,
        text: &'a str,
        cursor: u64,
        limit: usize,
    ) -> Answer<'a, Page> {
        let text = text.to_owned();
        self.look_for_a_page(move |connection, marks| {
            scan(connection, marks, set, &text, cursor, limit)
        })
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

    fn at(&self, set: TimedSet, at: Timestamp, cursor: u64, limit: usize) -> Answer<'_, Page> {
        self.look(move |connection| {
            let mut select = connection.prepare_cached(
                "SELECT payload, at FROM timed WHERE place = ?1 AND at = ?2 ORDER BY payload LIMIT ?3 OFFSET ?4",
            )?;
            let rows = number(limit as u64).saturating_add(1);
            let part = params![place(set), at.as_micros(), rows, number(cursor)];
            let entries = select
                .query_map(part, entry)?
                .collect::<rusqlite::Result<_>>()?;
            Ok(part_of(entries, cursor, limit))
        })
    }

    fn census(&self) -> Answer<'_, Census> {
        self.look(census)
    }

    fn counters<'a>(&'a self, which: &'a [(Stat, Option<&'a str>)]) -> Answer<'a, Vec<u64>> {
        let which: Vec<_> = which
            .iter()
            .map(|(stat, day)| (stat.name(), day.unwrap_or_default().to_owned()))
            .collect();
        self.look(move |connection| {
            let mut select =
                connection.prepare_cached("SELECT n FROM counter WHERE name = ?1 AND day = ?2")?;
            let mut count = |(name, day): &(&str, String)| {
                let n = select.query_row(params![name, day], |row| row.get(0));
                Ok(n.optional()?.map_or(0, unsigned))
            };
            which.iter().map(&mut count).collect()
        })
    }

    fn values<'a>(&'a self, keys: &'a [Key]) -> Answer<'a, Vec<Option<Bytes>>> {
        self.look_at_notes(keys, notes::text)
    }

    fn fields<'a>(&'a self, keys: &'a [Key]) -> Answer<'a, Vec<Fields>> {
        self.look_at_notes(keys, notes::fields)
    }

    fn list<'a>(&'a self, key: &'a Key) -> Answer<'a, Vec<Bytes>> {
        let (key, now) = (key.clone(), self.time.now());
        self.look(move |connection| notes::list(connection, &key, now))
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
                "SELECT name, iif(boot = ?1, deadline - ?2, -?2), (SELECT count(*) FROM claim WHERE owner = owner.id)
                 FROM owner ORDER BY name",
            )?;
            let rows = select.query_map(params![&*now.boot, now.micros], |row| {
                let left: i64 = row.get(1)?;
                Ok(OwnerInfo {
                    owner: Owner::from_text(&row.get::<_, String>(0)?),
                    left: Duration::from_micros(unsigned(left)),
                    // Of another boot it is known that it ran out before this one began.
                    overdue: Duration::from_micros(unsigned(left.saturating_neg())),
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

    fn check(&self) -> Answer<'_, Vec<Defect>> {
        self.look(check)
    }
}

fn census(connection: &Connection) -> rusqlite::Result<Census> {
    let mut queues = connection.prepare_cached(
        "SELECT member.name,
                (SELECT max(pos) FROM ready WHERE queue = queue.id) - (SELECT min(pos) FROM ready WHERE queue = queue.id) + 1
                - (SELECT count(*) FROM hole WHERE queue = queue.id AND pos > (SELECT min(pos) FROM ready WHERE queue = queue.id)),
                (SELECT payload FROM ready WHERE queue = queue.id ORDER BY pos LIMIT 1)
         FROM member LEFT JOIN queue ON queue.name = member.name WHERE place = ?1
         ORDER BY member.name",
    )?;
    let rows = queues.query_map([members(Members::Queues)], |row| {
        let head = row.get::<_, Option<Vec<u8>>>(2)?.map(Bytes::from);
        Ok(QueueInfo {
            name: row.get(0)?,
            size: row.get::<_, Option<i64>>(1)?.map_or(0, unsigned),
            head,
        })
    })?;
    let queues = rows.collect::<rusqlite::Result<_>>()?;
    let mut timed = connection.prepare_cached("SELECT n FROM size WHERE place = ?1")?;
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
