//! Claims.

use std::cmp::Ordering;
use std::sync::Arc;

use bytes::Bytes;
use rusqlite::{OptionalExtension, Row, params};

use super::commit::{members, number};
use super::tables::Tables;
use crate::store::{Claim, ClaimRequest, Claimed, MAX_CLAIM, Members, Owner, Token};

/// A payload that is about to be claimed.
pub(super) struct Taken {
    pub(super) queue: i64,
    pub(super) name: Arc<str>,
    pub(super) recoveries: u32,
    pub(super) payload: Vec<u8>,
}

pub(super) fn claim(tables: &mut Tables<'_>, request: &ClaimRequest) -> rusqlite::Result<Claim> {
    let owner = match next_call(tables, &request.owner, request.seq)? {
        Call::New(owner) => owner,
        Call::Answered(answer) => return Ok(answer),
    };
    let limit = request.limit.min(MAX_CLAIM);
    let mut taken = Vec::new();
    let first = request.sources.iter().map(|source| (source, source.share));
    let rest = request.sources.iter().map(|source| (source, limit));
    for (source, share) in first.chain(rest) {
        let wanted = share.min(limit - taken.len());
        if wanted > 0 {
            take(tables, &source.queue, wanted, &mut taken)?;
        }
    }
    hold(tables, owner, request.seq, taken)
}

fn take(
    tables: &mut Tables<'_>,
    name: &Arc<str>,
    wanted: usize,
    taken: &mut Vec<Taken>,
) -> rusqlite::Result<()> {
    let Some(queue) = tables.known_queue(name)? else {
        return Ok(());
    };
    let mut paused = tables
        .connection
        .prepare_cached("SELECT 1 FROM member WHERE place = ?1 AND name = ?2")?;
    if paused.exists(params![members(Members::Paused), &**name])? {
        return Ok(());
    }
    let mut select = tables
        .connection
        .prepare_cached("SELECT pos, payload FROM ready WHERE queue = ?1 ORDER BY pos LIMIT ?2")?;
    let mut rows = select.query(params![queue, number(wanted as u64)])?;
    let mut last: Option<i64> = None;
    while let Some(row) = rows.next()? {
        last = Some(row.get(0)?);
        taken.push(Taken {
            queue,
            name: name.clone(),
            recoveries: 0,
            payload: row.get(1)?,
        });
    }
    if let Some(last) = last {
        let mut delete = tables
            .connection
            .prepare_cached("DELETE FROM ready WHERE queue = ?1 AND pos <= ?2")?;
        delete.execute(params![queue, last])?;
        // Holes that are before the first payload now: their positions may be given again.
        let mut holes = tables.connection.prepare_cached(
            "DELETE FROM hole WHERE queue = ?1 AND
             pos < coalesce((SELECT min(pos) FROM ready WHERE queue = ?1), 9223372036854775807)",
        )?;
        holes.execute([queue])?;
    }
    Ok(())
}

/// Whether a claim or takeover is a new one.
pub(super) enum Call {
    /// It is: of this owner.
    New(i64),
    /// It was answered before, or must not be.
    Answered(Claim),
}

pub(super) fn next_call(
    tables: &mut Tables<'_>,
    owner: &Owner,
    seq: u64,
) -> rusqlite::Result<Call> {
    let mut select = tables
        .connection
        .prepare_cached("SELECT id, seq FROM owner WHERE name = ?1 AND seq IS NOT NULL")?;
    let known = select
        .query_row([owner.as_str()], |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?))
        })
        .optional()?;
    let Some((id, last)) = known else {
        return Ok(Call::Answered(Claim::Evicted));
    };
    Ok(match number(seq).cmp(&last) {
        Ordering::Less => Call::Answered(Claim::Stale),
        Ordering::Equal => Call::Answered(Claim::Taken {
            jobs: claims_of_call(tables, id, seq)?,
            unusable_queues: Vec::new(),
        }),
        Ordering::Greater => Call::New(id),
    })
}

fn claims_of_call(tables: &Tables<'_>, owner: i64, seq: u64) -> rusqlite::Result<Vec<Claimed>> {
    let (first, end) = (Token::new(seq, 0), Token::new(seq + 1, 0));
    let mut select = tables.connection.prepare_cached(
        "SELECT token, queue.name, recoveries, payload FROM claim JOIN queue ON queue.id = claim.queue
         WHERE owner = ?1 AND token >= ?2 AND token < ?3 ORDER BY token",
    )?;
    let rows = select.query_map(
        params![owner, number(first.as_number()), number(end.as_number())],
        claimed,
    )?;
    rows.collect()
}

/// A row of token, queue, recoveries and payload.
pub(super) fn claimed(row: &Row<'_>) -> rusqlite::Result<Claimed> {
    Ok(Claimed {
        token: Token::from_number(u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0)),
        queue: row.get::<_, String>(1)?.into(),
        recoveries: row.get(2)?,
        payload: Bytes::from(row.get::<_, Vec<u8>>(3)?),
    })
}

/// Gives what was taken to the owner, under the tokens of this call.
pub(super) fn hold(
    tables: &Tables<'_>,
    owner: i64,
    seq: u64,
    taken: Vec<Taken>,
) -> rusqlite::Result<Claim> {
    tables
        .connection
        .prepare_cached("UPDATE owner SET seq = ?2 WHERE id = ?1")?
        .execute(params![owner, number(seq)])?;
    let mut insert = tables.connection.prepare_cached(
        "INSERT INTO claim (owner, token, queue, recoveries, payload) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let mut jobs = Vec::with_capacity(taken.len());
    for (
        index,
        Taken {
            queue,
            name,
            recoveries,
            payload,
        },
    ) in (0..).zip(taken)
    {
        let token = Token::new(seq, index);
        insert.execute(params![
            owner,
            number(token.as_number()),
            queue,
            recoveries,
            payload
        ])?;
        jobs.push(Claimed {
            token,
            queue: name,
            recoveries,
            payload: payload.into(),
        });
    }
    Ok(Claim::Taken {
        jobs,
        unusable_queues: Vec::new(),
    })
}
