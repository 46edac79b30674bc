//! Pages of places, found without going through what stands before them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::commit::{number, place};
use crate::job::Timestamp;
use crate::store::{Entry, Order, Page, PlaceName, TimedSet};

/// How many ends of pages are remembered.
const KEPT: usize = 128;

/// The longest payload that is remembered for one, in bytes.
const LONGEST: usize = 16 * 1024;

/// Nearer to the beginning than this, entries are counted where the set has changed.
const DEEP: u64 = 1_000;

/// How long the end of a page stands for its position in a set that others change meanwhile.
const FRESH: Duration = Duration::from_secs(60);

/// Where pages of timed sets ended. The one behind is found by the last entry of the one before, as long as nothing has changed; deep in
/// a set that others change, also then, since to count anew takes long and is no more right.
#[derive(Debug, Default)]
pub(super) struct Marks(VecDeque<Mark>);

#[derive(Clone, Debug)]
struct Mark {
    set: TimedSet,
    order: Order,
    /// How many entries stood up to and with this one.
    position: u64,
    at: i64,
    payload: Bytes,
    /// How often the set had changed.
    changes: i64,
    made: Instant,
}

impl Marks {
    /// The last one up to this position.
    fn nearest(&self, set: TimedSet, order: Order, cursor: u64, changes: i64) -> Option<&Mark> {
        let usable = |mark: &&Mark| {
            mark.set == set
                && mark.order == order
                && mark.position <= cursor
                && (mark.changes == changes
                    || (mark.position >= DEEP && mark.made.elapsed() < FRESH))
        };
        self.0
            .iter()
            .filter(usable)
            .max_by_key(|mark| mark.position)
    }

    fn keep(&mut self, mark: Mark) {
        if mark.payload.len() > LONGEST {
            return;
        }
        // Those behind it that are of before a change may stand anywhere by now.
        self.0.retain(|known| {
            let is_other = (known.set, known.order) != (mark.set, mark.order);
            let is_current = known.changes == mark.changes && known.position != mark.position;
            is_other || is_current || known.position < mark.position
        });
        self.0.truncate(KEPT - 1);
        self.0.push_front(mark);
    }
}

/// A page of a queue.
pub(super) fn of_queue(
    connection: &Connection,
    queue: i64,
    order: Order,
    cursor: u64,
    limit: usize,
) -> rusqlite::Result<Page> {
    let Some(first) = position(connection, queue, order, cursor)? else {
        return Ok(Page::default());
    };
    let sql = match order {
        Order::Forward => {
            "SELECT payload, NULL FROM ready WHERE queue = ?1 AND pos >= ?2 ORDER BY pos LIMIT ?3"
        }
        Order::Backward => {
            "SELECT payload, NULL FROM ready WHERE queue = ?1 AND pos <= ?2 ORDER BY pos DESC LIMIT ?3"
        }
    };
    let rows = number(limit as u64).saturating_add(1);
    let entries = connection
        .prepare_cached(sql)?
        .query_map(params![queue, first, rows], entry)?
        .collect::<rusqlite::Result<_>>()?;
    Ok(part_of(entries, cursor, limit))
}

/// The position of the entry before which so many stand: as far from the end, and farther by the holes up to it.
fn position(
    connection: &Connection,
    queue: i64,
    order: Order,
    cursor: u64,
) -> rusqlite::Result<Option<i64>> {
    let (end, holes) = match order {
        Order::Forward => (
            "SELECT min(pos) FROM ready WHERE queue = ?1",
            "SELECT count(*) FROM hole WHERE queue = ?1 AND pos > ?2 AND pos <= ?3",
        ),
        Order::Backward => (
            "SELECT max(pos) FROM ready WHERE queue = ?1",
            "SELECT count(*) FROM hole WHERE queue = ?1 AND pos < ?2 AND pos >= ?3",
        ),
    };
    let end: Option<i64> = connection
        .prepare_cached(end)?
        .query_row([queue], |row| row.get(0))?;
    let Some(end) = end else { return Ok(None) };
    let farther = |from: i64, by: i64| match order {
        Order::Forward => from.saturating_add(by),
        Order::Backward => from.saturating_sub(by),
    };
    let mut count = connection.prepare_cached(holes)?;
    let (mut seen, mut at) = (end, farther(end, number(cursor)));
    loop {
        let more: i64 = count.query_row(params![queue, seen, at], |row| row.get(0))?;
        if more == 0 {
            return Ok(Some(at));
        }
        (seen, at) = (at, farther(at, more));
    }
}

/// A page of a timed set.
pub(super) fn of_set(
    connection: &Connection,
    marks: &mut Marks,
    set: TimedSet,
    order: Order,
    cursor: u64,
    limit: usize,
) -> rusqlite::Result<Page> {
    let mut entries = Vec::new();
    let next = walk(
        connection,
        marks,
        (set, order, cursor),
        limit,
        "",
        |entry| {
            entries.push(entry);
        },
    )?;
    Ok(Page { entries, next })
}

/// The cursor is how many entries were looked at, earliest first.
pub(super) fn scan(
    connection: &Connection,
    marks: &mut Marks,
    set: TimedSet,
    text: &str,
    cursor: u64,
    limit: usize,
) -> rusqlite::Result<Page> {
    let mut entries = Vec::new();
    let from = (set, Order::Forward, cursor);
    let next = walk(connection, marks, from, limit.max(1), text, |entry| {
        entries.push(entry);
    })?;
    Ok(Page { entries, next })
}

/// Looks at so many entries, and takes those that contain this text; says where the next ones begin.
fn walk(
    connection: &Connection,
    marks: &mut Marks,
    (set, order, cursor): (TimedSet, Order, u64),
    limit: usize,
    text: &str,
    mut take: impl FnMut(Entry),
) -> rusqlite::Result<Option<u64>> {
    let changes: i64 = connection
        .prepare_cached("SELECT changes FROM size WHERE place = ?1")?
        .query_row([place(set)], |row| row.get(0))?;
    let begin = marks.nearest(set, order, cursor, changes);
    let sql = match (order, begin) {
        (Order::Forward, None) => {
            "SELECT payload, at, ?4 = x'' OR instr(payload, ?4) > 0 FROM timed WHERE place = ?1
             ORDER BY at, payload LIMIT ?2 OFFSET ?3"
        }
        (Order::Forward, Some(_)) => {
            "SELECT payload, at, ?4 = x'' OR instr(payload, ?4) > 0 FROM timed WHERE place = ?1 AND (at, payload) > (?5, ?6)
             ORDER BY at, payload LIMIT ?2 OFFSET ?3"
        }
        (Order::Backward, None) => {
            "SELECT payload, at, ?4 = x'' OR instr(payload, ?4) > 0 FROM timed WHERE place = ?1
             ORDER BY at DESC, payload DESC LIMIT ?2 OFFSET ?3"
        }
        (Order::Backward, Some(_)) => {
            "SELECT payload, at, ?4 = x'' OR instr(payload, ?4) > 0 FROM timed WHERE place = ?1 AND (at, payload) < (?5, ?6)
             ORDER BY at DESC, payload DESC LIMIT ?2 OFFSET ?3"
        }
    };
    let count = number(limit as u64).saturating_add(1);
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = match begin {
        None => select.query(params![place(set), count, number(cursor), text.as_bytes()])?,
        Some(mark) => select.query(params![
            place(set),
            count,
            number(cursor - mark.position),
            text.as_bytes(),
            mark.at,
            &mark.payload[..]
        ])?,
    };
    let (mut looked_at, mut last) = (0, None);
    while let Some(row) = rows.next()? {
        if looked_at == limit {
            let position = cursor.saturating_add(limit as u64);
            if let Some((at, payload)) = last {
                marks.keep(Mark {
                    set,
                    order,
                    position,
                    at,
                    payload,
                    changes,
                    made: Instant::now(),
                });
            }
            return Ok(Some(position));
        }
        looked_at += 1;
        let is_last = looked_at == limit;
        let is_wanted: bool = row.get(2)?;
        if is_wanted || is_last {
            let entry = entry(row)?;
            last = is_last.then(|| (row.get_unwrap(1), entry.payload.clone()));
            if is_wanted {
                take(entry);
            }
        }
    }
    Ok(None)
}

/// A page of these entries, of which one more than it may have was asked for.
pub(super) fn part_of(mut entries: Vec<Entry>, cursor: u64, limit: usize) -> Page {
    let more = entries.len() > limit;
    entries.truncate(limit);
    Page {
        next: more.then(|| cursor + entries.len() as u64),
        entries,
    }
}

/// A payload, and its time where it has one.
pub(super) fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        payload: Bytes::from(row.get::<_, Vec<u8>>(0)?),
        at: row.get::<_, Option<i64>>(1)?.map(Timestamp::from_micros),
    })
}

/// A page of a place.
pub(super) fn page(
    connection: &Connection,
    marks: &mut Marks,
    at: &PlaceName,
    order: Order,
    cursor: u64,
    limit: usize,
) -> rusqlite::Result<Page> {
    match at {
        PlaceName::Timed(set) => of_set(connection, marks, *set, order, cursor, limit),
        PlaceName::Queue(name) => {
            let mut select = connection.prepare_cached("SELECT id FROM queue WHERE name = ?1")?;
            let queue = select.query_row([&**name], |row| row.get(0)).optional()?;
            match queue {
                Some(queue) => of_queue(connection, queue, order, cursor, limit),
                None => Ok(Page::default()),
            }
        }
    }
}
