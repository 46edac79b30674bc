//! What is kept beside the jobs: texts, hashes and lists, each for a time.
//!
//! Every key has its row in `note`; fields and items go with it.

use std::time::Duration;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};

use super::tables::Tables;
use crate::job::Timestamp;
use crate::store::{Effect, Fields, InterestKind, Key, histogram, number};

pub(super) fn is_absent(
    connection: &Connection,
    key: &Key,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let mut select = connection.prepare_cached(
        "SELECT 1 FROM note WHERE key = ?1 AND (expires IS NULL OR expires > ?2)",
    )?;
    Ok(!select.exists(params![&**key, now.as_micros()])?)
}

pub(super) fn is_field_absent(
    connection: &Connection,
    key: &Key,
    field: &str,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let mut select = connection.prepare_cached(
        "SELECT 1 FROM field JOIN note USING (key) WHERE key = ?1 AND name = ?2 AND (expires IS NULL OR expires > ?3)",
    )?;
    Ok(!select.exists(params![&**key, field, now.as_micros()])?)
}

pub(super) fn is_field(
    connection: &Connection,
    key: &Key,
    field: &str,
    value: &[u8],
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let mut select = connection.prepare_cached(
        "SELECT 1 FROM field JOIN note USING (key) WHERE key = ?1 AND name = ?2 AND CAST(field.value AS BLOB) = ?3 AND (expires IS NULL OR expires > ?4)",
    )?;
    select.exists(params![&**key, field, value, now.as_micros()])
}

pub(super) fn text(
    connection: &Connection,
    key: &Key,
    now: Timestamp,
) -> rusqlite::Result<Option<Bytes>> {
    let mut select = connection.prepare_cached(
        "SELECT value FROM note WHERE key = ?1 AND (expires IS NULL OR expires > ?2)",
    )?;
    let value = select
        .query_row(params![&**key, now.as_micros()], |row| {
            row.get::<_, Option<Vec<u8>>>(0)
        })
        .optional()?;
    Ok(value.flatten().map(Bytes::from))
}

pub(super) fn fields(
    connection: &Connection,
    key: &Key,
    now: Timestamp,
) -> rusqlite::Result<Fields> {
    let mut select = connection.prepare_cached(
        "SELECT name, field.value FROM field JOIN note USING (key)
         WHERE key = ?1 AND (expires IS NULL OR expires > ?2) ORDER BY name",
    )?;
    let rows = select.query_map(params![&**key, now.as_micros()], |row| {
        Ok((row.get(0)?, Bytes::from(row.get::<_, Vec<u8>>(1)?)))
    })?;
    rows.collect()
}

pub(super) fn list(
    connection: &Connection,
    key: &Key,
    now: Timestamp,
) -> rusqlite::Result<Vec<Bytes>> {
    let mut select = connection.prepare_cached(
        "SELECT item.value FROM item JOIN note USING (key)
         WHERE key = ?1 AND (expires IS NULL OR expires > ?2) ORDER BY id",
    )?;
    let rows = select.query_map(params![&**key, now.as_micros()], |row| {
        Ok(Bytes::from(row.get::<_, Vec<u8>>(0)?))
    })?;
    rows.collect()
}

/// Effects on jobs are none of these.
pub(super) fn apply(
    tables: &mut Tables<'_>,
    effect: &Effect,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let connection = tables.connection;
    match effect {
        Effect::Unset(key) => forget(connection, key),
        Effect::Set { key, value, ttl } => {
            let mut insert = connection.prepare_cached(
                "INSERT INTO note (key, value, expires) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET value = excluded.value, expires = excluded.expires",
            )?;
            let expires = ttl.map(|ttl| now.after(ttl).as_micros());
            insert.execute(params![&**key, &value[..], expires])?;
            Ok(())
        }
        Effect::SetFields { key, fields, ttl } => {
            keep(connection, key, *ttl, now)?;
            for (name, value) in fields {
                set_field(connection, key, name, value)?;
            }
            Ok(())
        }
        Effect::AddFields { key, fields, ttl } => {
            keep(connection, key, Some(*ttl), now)?;
            for (name, n) in fields {
                add_field(connection, key, name, *n)?;
            }
            Ok(())
        }
        Effect::Observe { key, counts, ttl } => {
            keep(connection, key, Some(*ttl), now)?;
            let so_far = text(connection, key, now)?.unwrap_or_default();
            let mut update =
                connection.prepare_cached("UPDATE note SET value = ?2 WHERE key = ?1")?;
            update.execute(params![&**key, &histogram::add(&so_far, counts)[..]])?;
            Ok(())
        }
        Effect::Append { key, item, ttl } => {
            tables.changed(InterestKind::Lists);
            keep(connection, key, Some(*ttl), now)?;
            let mut insert =
                connection.prepare_cached("INSERT INTO item (key, value) VALUES (?1, ?2)")?;
            insert.execute(params![&**key, &item[..]])?;
            Ok(())
        }
        Effect::Strike { key, item } => strike(connection, key, item),
        _ => Ok(()),
    }
}

/// Drops what has run out.
pub(super) fn purge(tables: &Tables<'_>, now: Timestamp) -> rusqlite::Result<()> {
    let mut delete = tables
        .connection
        .prepare_cached("DELETE FROM note WHERE expires <= ?1")?;
    delete.execute([now.as_micros()]).map(|_| ())
}

/// Makes a key be there, from now on for that long where that is said. What ran out is not added to.
fn keep(
    connection: &Connection,
    key: &Key,
    ttl: Option<Duration>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    if is_absent(connection, key, now)? {
        forget(connection, key)?;
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO note (key, expires) VALUES (?1, ?2)
         ON CONFLICT DO UPDATE SET expires = coalesce(excluded.expires, expires)",
    )?;
    let expires = ttl.map(|ttl| now.after(ttl).as_micros());
    insert.execute(params![&**key, expires]).map(|_| ())
}

fn forget(connection: &Connection, key: &Key) -> rusqlite::Result<()> {
    let mut delete = connection.prepare_cached("DELETE FROM note WHERE key = ?1")?;
    delete.execute(params![&**key]).map(|_| ())
}

fn set_field(connection: &Connection, key: &Key, name: &str, value: &[u8]) -> rusqlite::Result<()> {
    let mut insert = connection
        .prepare_cached("INSERT OR REPLACE INTO field (key, name, value) VALUES (?1, ?2, ?3)")?;
    insert.execute(params![&**key, name, value]).map(|_| ())
}

fn add_field(connection: &Connection, key: &Key, name: &str, n: u64) -> rusqlite::Result<()> {
    let mut select =
        connection.prepare_cached("SELECT value FROM field WHERE key = ?1 AND name = ?2")?;
    let so_far: Option<Vec<u8>> = select
        .query_row(params![&**key, name], |row| row.get(0))
        .optional()?;
    let sum = number::add(&so_far.unwrap_or_default(), n);
    set_field(connection, key, name, &sum)
}

/// The list goes with its last item.
fn strike(connection: &Connection, key: &Key, item: &[u8]) -> rusqlite::Result<()> {
    let mut delete = connection.prepare_cached(
        "DELETE FROM item WHERE id = (SELECT min(id) FROM item WHERE key = ?1 AND value = ?2)",
    )?;
    if delete.execute(params![&**key, item])? == 0 {
        return Ok(());
    }
    let mut delete = connection.prepare_cached(
        "DELETE FROM note WHERE key = ?1 AND NOT EXISTS (SELECT 1 FROM item WHERE key = ?1)",
    )?;
    delete.execute(params![&**key]).map(|_| ())
}
