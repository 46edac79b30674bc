//! Transactions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use super::notes;
use super::tables::{Tables, savepoint};
use crate::job::Timestamp;
use crate::store::{
    Batch, ClaimId, Commit, Effect, End, Guard, InterestKind, Members, Place, PlaceName,
    RECEIPT_TTL, Stat, TimedSet, Tx, TxResult,
};

/// How often receipts that ran out are dropped.
const PURGE_EVERY: Duration = Duration::from_secs(10);

/// The number of a set in its table.
pub(super) fn place(set: TimedSet) -> i64 {
    match set {
        TimedSet::Schedule => 0,
        TimedSet::Retry => 1,
        TimedSet::Dead => 2,
    }
}

/// The number of a set in its table.
pub(super) fn members(set: Members) -> i64 {
    match set {
        Members::Queues => 0,
        Members::Paused => 1,
        Members::Processes => 2,
        Members::Cron => 3,
    }
}

/// The transactions of a batch that took the whole group with them, and what SQLite said. They are passed over when the
/// batch is run again.
pub(super) type Doomed = BTreeMap<usize, String>;

pub(super) fn commit(
    tables: &mut Tables<'_>,
    batch: &Batch,
    now: Timestamp,
    doomed: &mut Doomed,
) -> rusqlite::Result<Commit> {
    let receipt = tables
        .connection
        .prepare_cached("SELECT seq, results FROM receipt WHERE lane = ?1 AND expires > ?2")?
        .query_row(params![batch.lane.as_str(), now.as_micros()], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
        })
        .optional()?;
    let seq = number(batch.seq);
    match receipt {
        Some((known, results)) if known == seq => return Ok(Commit::Done(read_results(&results))),
        Some((known, _)) if known > seq => return Ok(Commit::Stale),
        _ => {}
    }
    let mut changes = Changes {
        tables,
        counts: BTreeMap::new(),
        now,
    };
    let mut results = Vec::with_capacity(batch.txs.len());
    for (index, tx) in batch.txs.iter().enumerate() {
        results.push(match doomed.get(&index) {
            Some(error) => TxResult::Failed {
                error: error.clone(),
            },
            None => match changes.apply(tx) {
                Ok(result) => result,
                Err(error) => {
                    if changes.tables.connection.is_autocommit() {
                        doomed.insert(index, error.to_string());
                        changes.tables.news.again = true;
                    }
                    return Err(error);
                }
            },
        });
    }
    changes.end()?;
    keep_receipt(tables, batch, seq, &results, now)?;
    Ok(Commit::Done(results))
}

fn keep_receipt(
    tables: &mut Tables<'_>,
    batch: &Batch,
    seq: i64,
    results: &[TxResult],
    now: Timestamp,
) -> rusqlite::Result<()> {
    // A look at every receipt, so not at every batch.
    if tables.known.next_purge <= now.as_micros() {
        tables.known.next_purge = now.after(PURGE_EVERY).as_micros();
        notes::purge(tables, now)?;
        tables
            .connection
            .prepare_cached("DELETE FROM receipt WHERE expires <= ?1")?
            .execute([now.as_micros()])?;
    }
    let expires = now.after(RECEIPT_TTL).as_micros();
    tables
        .connection
        .prepare_cached(
            "INSERT OR REPLACE INTO receipt (lane, seq, results, expires) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            batch.lane.as_str(),
            seq,
            write_results(results),
            expires
        ])?;
    Ok(())
}

/// One line a result: `A`, `R` and the guard's index, or `F` and the error.
fn write_results(results: &[TxResult]) -> String {
    let lines = results.iter().map(|result| match result {
        TxResult::Applied => "A".to_owned(),
        TxResult::Refused { by } => format!("R{by}"),
        TxResult::Failed { error } => format!("F{}", error.replace('\n', " ")),
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn read_results(text: &str) -> Vec<TxResult> {
    let read = |line: &str| match line.split_at(1) {
        ("R", by) => TxResult::Refused {
            by: by.parse().unwrap_or(0),
        },
        ("F", error) => TxResult::Failed {
            error: error.to_owned(),
        },
        _ => TxResult::Applied,
    };
    text.lines().map(read).collect()
}

/// What the transactions of a batch do. Counters are written once, at its end.
struct Changes<'t, 'c> {
    tables: &'t mut Tables<'c>,
    counts: BTreeMap<Stat, u64>,
    now: Timestamp,
}

impl Changes<'_, '_> {
    fn apply(&mut self, tx: &Tx) -> rusqlite::Result<TxResult> {
        debug_assert!(tx.is_well_ordered(), "effects are out of order: {tx:?}");
        if let Some(claim) = settled_only(tx) {
            let held = release(self.tables, claim)?;
            if held {
                self.count(&tx.then);
            }
            return Ok(if held {
                TxResult::Applied
            } else {
                TxResult::Refused { by: 0 }
            });
        }
        let mut refused = None;
        for (index, guard) in tx.when.iter().enumerate() {
            if !self.holds(guard)? {
                refused = Some(index);
                break;
            }
        }
        let effects = if refused.is_none() {
            &tx.then
        } else {
            &tx.otherwise
        };
        if let Err(error) = self.effects(effects) {
            // Where the whole transaction is gone there is nothing left to go on with.
            if self.tables.connection.is_autocommit() {
                return Err(error);
            }
            return Ok(TxResult::Failed {
                error: error.to_string(),
            });
        }
        self.count(effects);
        Ok(refused.map_or(TxResult::Applied, |by| TxResult::Refused { by }))
    }

    fn effects(&mut self, effects: &[Effect]) -> rusqlite::Result<()> {
        let now = self.now;
        savepoint(self.tables, |tables| {
            effects
                .iter()
                .try_for_each(|effect| apply(tables, effect, now))
        })
    }

    fn holds(&mut self, guard: &Guard) -> rusqlite::Result<bool> {
        match guard {
            Guard::Holds(ClaimId { owner, token }) => {
                let Some(owner) = self.tables.owner(owner)? else {
                    return Ok(false);
                };
                let mut select = self
                    .tables
                    .connection
                    .prepare_cached("SELECT 1 FROM claim WHERE owner = ?1 AND token = ?2")?;
                select.exists(params![owner, number(token.as_number())])
            }
            Guard::Contains(PlaceName::Queue(name), payload) => {
                let Some(queue) = self.tables.known_queue(name)? else {
                    return Ok(false);
                };
                let mut select = self
                    .tables
                    .connection
                    .prepare_cached("SELECT 1 FROM ready WHERE queue = ?1 AND payload = ?2")?;
                select.exists(params![queue, &payload[..]])
            }
            Guard::Contains(PlaceName::Timed(set), payload) => {
                let mut select = self
                    .tables
                    .connection
                    .prepare_cached("SELECT 1 FROM timed WHERE place = ?1 AND payload = ?2")?;
                select.exists(params![place(*set), &payload[..]])
            }
            Guard::Absent(key) => notes::is_absent(self.tables.connection, key, self.now),
            Guard::AbsentField(key, field) => {
                notes::is_field_absent(self.tables.connection, key, field, self.now)
            }
            Guard::EqualsField(key, field, value) => {
                notes::is_field(self.tables.connection, key, field, value, self.now)
            }
        }
    }

    fn count(&mut self, effects: &[Effect]) {
        for effect in effects {
            if let Effect::Count(stat, n) = effect {
                *self.counts.entry(*stat).or_default() += n;
            }
        }
    }

    fn end(self) -> rusqlite::Result<()> {
        let day = chrono::DateTime::from(self.now)
            .format("%Y-%m-%d")
            .to_string();
        for (stat, n) in self.counts {
            for day in ["", &day] {
                self.tables
                    .connection
                    .prepare_cached(
                        "INSERT INTO counter (name, day, n) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET n = n + excluded.n",
                    )?
                    .execute(params![stat.name(), day, number(n)])?;
            }
        }
        Ok(())
    }
}

/// The claim of a transaction that only ends it: by far the most frequent one, and one statement.
fn settled_only(tx: &Tx) -> Option<&ClaimId> {
    match (&tx.when[..], &tx.then[..]) {
        ([Guard::Holds(held)], [Effect::Release(released), counts @ ..])
            if held == released
                && tx.otherwise.is_empty()
                && counts
                    .iter()
                    .all(|effect| matches!(effect, Effect::Count(..))) =>
        {
            Some(held)
        }
        _ => None,
    }
}

fn apply(tables: &mut Tables<'_>, effect: &Effect, now: Timestamp) -> rusqlite::Result<()> {
    match effect {
        Effect::Put(payload, Place::Queue { name, end }) => put(tables, payload, name, *end),
        Effect::Put(payload, Place::Timed { set, at }) => {
            tables.changed(InterestKind::Timed);
            let mut insert = tables.connection.prepare_cached(
                "INSERT OR REPLACE INTO timed (place, payload, at) VALUES (?1, ?2, ?3)",
            )?;
            insert
                .execute(params![place(*set), &payload[..], at.as_micros()])
                .map(|_| ())
        }
        Effect::Take(place, payload) => take(tables, place, payload),
        Effect::Release(claim) => release(tables, claim).map(|_| ()),
        // Written at the end of the batch.
        Effect::Count(..) => Ok(()),
        Effect::Join(set, member) => join(tables, *set, member),
        Effect::Leave(set, member) => {
            match set {
                Members::Queues => tables.known.joined.clear(),
                Members::Paused => tables.changed(InterestKind::Queues),
                Members::Processes | Members::Cron => {}
            }
            let mut delete = tables
                .connection
                .prepare_cached("DELETE FROM member WHERE place = ?1 AND name = ?2")?;
            delete
                .execute(params![members(*set), &**member])
                .map(|_| ())
        }
        Effect::Clear(place) => clear(tables, place),
        Effect::Reset(stat) => {
            let mut delete = tables
                .connection
                .prepare_cached("DELETE FROM counter WHERE name = ?1 AND day = ''")?;
            delete.execute([stat.name()]).map(|_| ())
        }
        Effect::Trim { set, before, keep } => trim(tables, *set, *before, *keep),
        Effect::Unset(_)
        | Effect::Set { .. }
        | Effect::SetFields { .. }
        | Effect::AddFields { .. }
        | Effect::Observe { .. }
        | Effect::Append { .. }
        | Effect::Strike { .. } => notes::apply(tables, effect, now),
    }
}

pub(super) fn put(
    tables: &mut Tables<'_>,
    payload: &[u8],
    name: &Arc<str>,
    end: End,
) -> rusqlite::Result<()> {
    let queue = tables.queue(name)?;
    if tables.known.joined.insert(queue) {
        join(tables, Members::Queues, name)?;
    }
    tables.changed(InterestKind::Queues);
    let sql = match end {
        End::Tail => {
            "INSERT INTO ready (queue, pos, payload)
             VALUES (?1, coalesce((SELECT max(pos) FROM ready WHERE queue = ?1), 0) + 1, ?2)"
        }
        End::Head => {
            "INSERT INTO ready (queue, pos, payload)
             VALUES (?1, coalesce((SELECT min(pos) FROM ready WHERE queue = ?1), 1) - 1, ?2)"
        }
    };
    tables
        .connection
        .prepare_cached(sql)?
        .execute(params![queue, payload])
        .map(|_| ())
}

fn take(tables: &mut Tables<'_>, from: &PlaceName, payload: &[u8]) -> rusqlite::Result<()> {
    let (number, sql) = match from {
        PlaceName::Queue(name) => (
            tables.known_queue(name)?,
            "DELETE FROM ready WHERE queue = ?1 AND pos =
             (SELECT max(pos) FROM ready WHERE queue = ?1 AND payload = ?2)",
        ),
        PlaceName::Timed(set) => (
            Some(place(*set)),
            "DELETE FROM timed WHERE place = ?1 AND payload = ?2",
        ),
    };
    let Some(number) = number else {
        return Ok(());
    };
    let mut delete = tables.connection.prepare_cached(sql)?;
    delete.execute(params![number, payload]).map(|_| ())
}

fn clear(tables: &mut Tables<'_>, all_of: &PlaceName) -> rusqlite::Result<()> {
    let (number, sql) = match all_of {
        PlaceName::Queue(name) => (
            tables.known_queue(name)?,
            "DELETE FROM ready WHERE queue = ?1",
        ),
        PlaceName::Timed(set) => (Some(place(*set)), "DELETE FROM timed WHERE place = ?1"),
    };
    let Some(number) = number else {
        return Ok(());
    };
    let mut delete = tables.connection.prepare_cached(sql)?;
    delete.execute([number]).map(|_| ())
}

fn join(tables: &Tables<'_>, set: Members, member: &str) -> rusqlite::Result<()> {
    let mut insert = tables
        .connection
        .prepare_cached("INSERT OR IGNORE INTO member (place, name) VALUES (?1, ?2)")?;
    insert.execute(params![members(set), member]).map(|_| ())
}

fn release(tables: &mut Tables<'_>, ClaimId { owner, token }: &ClaimId) -> rusqlite::Result<bool> {
    let Some(owner) = tables.owner(owner)? else {
        return Ok(false);
    };
    let mut delete = tables
        .connection
        .prepare_cached("DELETE FROM claim WHERE owner = ?1 AND token = ?2")?;
    Ok(delete.execute(params![owner, number(token.as_number())])? == 1)
}

fn trim(tables: &Tables<'_>, set: TimedSet, before: Timestamp, keep: u64) -> rusqlite::Result<()> {
    let set = place(set);
    let mut old = tables
        .connection
        .prepare_cached("DELETE FROM timed WHERE place = ?1 AND at < ?2")?;
    old.execute(params![set, before.as_micros()])?;
    let mut count = tables
        .connection
        .prepare_cached("SELECT count(*) FROM timed WHERE place = ?1")?;
    let over = count
        .query_row([set], |row| row.get::<_, i64>(0))?
        .saturating_sub(number(keep));
    if over <= 0 {
        return Ok(());
    }
    let mut delete = tables.connection.prepare_cached(
        "DELETE FROM timed WHERE place = ?1 AND payload IN
         (SELECT payload FROM timed WHERE place = ?1 ORDER BY at, payload LIMIT ?2)",
    )?;
    delete.execute(params![set, over]).map(|_| ())
}

/// SQLite's integers are signed; no number of ours comes near the end of them.
pub(super) fn number(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
