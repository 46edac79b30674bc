//! Leases and takeovers.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use super::claim::{Call, Taken, hold, next_call};
use super::commit::number;
use super::tables::Tables;
use super::time::{LeaseTime, Time};
use crate::store::{Claim, MAX_CLAIM, MAX_EXPIRED, Owner, Registration, Renewed, Standing};

pub(super) fn renew(
    tables: &mut Tables<'_>,
    owner: &Owner,
    lease: Duration,
    registration: Registration,
    time: &Time,
) -> rusqlite::Result<Renewed> {
    let now = time.lease();
    let deadline = now.after(lease);
    let update = "UPDATE owner SET boot = ?2, deadline = ?3 WHERE name = ?1 AND seq IS NOT NULL";
    let kept = tables.connection.prepare_cached(update)?.execute(params![
        owner.as_str(),
        &*now.boot,
        deadline
    ])? == 1;
    let standing = if kept {
        Standing::Kept
    } else if registration == Registration::First && !is_known(tables, owner)? {
        tables.forget_number(owner);
        let insert = "INSERT INTO owner (name, boot, deadline, seq) VALUES (?1, ?2, ?3, 0)";
        tables.connection.prepare_cached(insert)?.execute(params![
            owner.as_str(),
            &*now.boot,
            deadline
        ])?;
        Standing::New
    } else {
        Standing::Evicted
    };
    let held = match tables.owner(owner)? {
        Some(id) => held(tables, id)?,
        None => 0,
    };
    Ok(Renewed {
        standing,
        now: time.now(),
        held,
        expired: expired(tables, owner, &now)?,
    })
}

/// Asked of the table: another process may have forgotten an owner whose number is remembered here.
fn is_known(tables: &Tables<'_>, owner: &Owner) -> rusqlite::Result<bool> {
    let mut select = tables
        .connection
        .prepare_cached("SELECT 1 FROM owner WHERE name = ?1")?;
    select.exists([owner.as_str()])
}

fn held(tables: &Tables<'_>, owner: i64) -> rusqlite::Result<u64> {
    let mut count = tables
        .connection
        .prepare_cached("SELECT count(*) FROM claim WHERE owner = ?1")?;
    count
        .query_row([owner], |row| row.get::<_, i64>(0))
        .map(|held| u64::try_from(held).unwrap_or(0))
}

/// Owners of another boot ran out with it.
fn expired(tables: &Tables<'_>, but: &Owner, now: &LeaseTime) -> rusqlite::Result<Vec<Owner>> {
    let mut select = tables.connection.prepare_cached(
        "SELECT name FROM owner WHERE name <> ?1 AND (boot <> ?2 OR deadline <= ?3)
         ORDER BY boot = ?2, deadline, name LIMIT ?4",
    )?;
    let rows = select.query_map(
        params![
            but.as_str(),
            &*now.boot,
            now.micros,
            number(MAX_EXPIRED as u64)
        ],
        |row| row.get::<_, String>(0).map(|name| Owner::from_text(&name)),
    )?;
    rows.collect()
}

pub(super) fn take_over(
    tables: &mut Tables<'_>,
    owner: &Owner,
    seq: u64,
    from: &Owner,
    limit: usize,
    time: &Time,
) -> rusqlite::Result<Claim> {
    let rescuer = match next_call(tables, owner, seq)? {
        Call::New(rescuer) => rescuer,
        Call::Answered(answer) => return Ok(answer),
    };
    let now = time.lease();
    let mut select = tables.connection.prepare_cached(
        "SELECT id FROM owner WHERE name = ?1 AND (boot <> ?2 OR deadline <= ?3)",
    )?;
    let dead: Option<i64> = if owner == from {
        None
    } else {
        select
            .query_row(params![from.as_str(), &*now.boot, now.micros], |row| {
                row.get(0)
            })
            .optional()?
    };
    let taken = match dead {
        Some(dead) => bite(tables, dead, limit.min(MAX_CLAIM))?,
        None => Vec::new(),
    };
    hold(tables, rescuer, seq, taken)
}

fn bite(tables: &Tables<'_>, dead: i64, limit: usize) -> rusqlite::Result<Vec<Taken>> {
    tables
        .connection
        .prepare_cached("UPDATE owner SET seq = NULL WHERE id = ?1")?
        .execute([dead])?;
    let mut select = tables.connection.prepare_cached(
        "SELECT token, queue, queue.name, recoveries, payload FROM claim JOIN queue ON queue.id = claim.queue
         WHERE owner = ?1 ORDER BY token LIMIT ?2",
    )?;
    let mut rows = select.query(params![dead, number(limit as u64)])?;
    let (mut taken, mut last): (Vec<_>, Option<i64>) = (Vec::new(), None);
    while let Some(row) = rows.next()? {
        last = Some(row.get(0)?);
        let recoveries = row.get::<_, u32>(3)?.saturating_add(1);
        taken.push(Taken {
            queue: row.get(1)?,
            name: row.get::<_, String>(2)?.into(),
            recoveries,
            payload: row.get(4)?,
        });
    }
    if let Some(last) = last {
        tables
            .connection
            .prepare_cached("DELETE FROM claim WHERE owner = ?1 AND token <= ?2")?
            .execute(params![dead, last])?;
    }
    forget_if_empty(tables, dead)?;
    Ok(taken)
}

/// Forgets an owner that is evicted and holds nothing.
fn forget_if_empty(tables: &Tables<'_>, owner: i64) -> rusqlite::Result<()> {
    let mut delete = tables.connection.prepare_cached(
        "DELETE FROM owner WHERE id = ?1 AND seq IS NULL AND NOT EXISTS (SELECT 1 FROM claim WHERE owner = ?1)",
    )?;
    delete.execute([owner]).map(|_| ())
}
