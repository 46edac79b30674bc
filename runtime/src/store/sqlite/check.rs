//! What can be wrong with the file: damage, and rows that belong to nothing.

use std::sync::Arc;

use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, params};
use serde::Deserialize;

use super::commit::{members, number, place, put};
use super::tables::Tables;
use crate::job::Timestamp;
use crate::store::{Defect, DefectKind, End, InterestKind, MAX_DEFECTS, Members, TimedSet};

/// The tables that have payloads.
const TABLES: [&str; 3] = ["ready", "timed", "claim"];

pub(super) fn check(connection: &Connection) -> rusqlite::Result<Vec<Defect>> {
    let mut found = damage(connection).or_else(damaged)?;
    // What is read from a damaged file is not to be trusted.
    if found.is_empty() {
        unlisted_queues(connection, &mut found)?;
        for table in TABLES {
            other_types(connection, table, &mut found)?;
        }
        lost_claims(connection, &mut found)?;
        lost_payloads(connection, &mut found)?;
    }
    found.truncate(MAX_DEFECTS);
    Ok(found)
}

fn damage(connection: &Connection) -> rusqlite::Result<Vec<Defect>> {
    let mut found = Vec::new();
    let mut says = connection.prepare(&format!("PRAGMA integrity_check({MAX_DEFECTS})"))?;
    let lines = says.query_map([], |row| row.get::<_, String>(0))?;
    for line in lines {
        let line = line?;
        if line != "ok" {
            found.push(corrupt("the file", line));
        }
    }
    let mut says = connection.prepare("PRAGMA foreign_key_check")?;
    let mut rows = says.query([])?;
    while let Some(row) = rows.next()? {
        let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
        found.push(corrupt(
            &table,
            format!("a row of it belongs to a row of {parent} that is not there"),
        ));
    }
    Ok(found)
}

/// A file so damaged that it cannot even be checked.
fn damaged(error: rusqlite::Error) -> rusqlite::Result<Vec<Defect>> {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            Ok(vec![corrupt("the file", error.to_string())])
        }
        _ => Err(error),
    }
}

fn corrupt(subject: &str, says: String) -> Defect {
    let found = format!(
        "{says}; stop the workers, keep a copy, and restore it from a backup or with sqlite3's .recover"
    );
    Defect::new(DefectKind::Corrupt, subject.to_owned(), found)
}

fn unlisted_queues(connection: &Connection, found: &mut Vec<Defect>) -> rusqlite::Result<()> {
    let sql = "SELECT name FROM queue WHERE EXISTS (SELECT 1 FROM ready WHERE queue = queue.id)
               AND NOT EXISTS (SELECT 1 FROM member WHERE place = ?1 AND member.name = queue.name) ORDER BY name LIMIT ?2";
    let limit = number(MAX_DEFECTS as u64);
    let mut select = connection.prepare(sql)?;
    let names = select.query_map(params![members(Members::Queues), limit], |row| {
        row.get::<_, String>(0)
    })?;
    for name in names {
        let text = "it holds jobs, and is not in the set of queues";
        found.push(Defect::new(DefectKind::UnlistedQueue, name?, text));
    }
    Ok(())
}

fn other_types(
    connection: &Connection,
    table: &'static str,
    found: &mut Vec<Defect>,
) -> rusqlite::Result<()> {
    let count: i64 = connection.query_row(
        &format!("SELECT count(*) FROM {table} WHERE typeof(payload) <> 'blob'"),
        [],
        |row| row.get(0),
    )?;
    if count > 0 {
        let text = format!("{count} of its payloads are no bytes");
        found.push(Defect::new(DefectKind::WrongType, table, text));
    }
    Ok(())
}

/// The subject is the number of the owner: its name is what was lost.
fn lost_claims(connection: &Connection, found: &mut Vec<Defect>) -> rusqlite::Result<()> {
    let mut select = connection.prepare(
        "SELECT owner, count(*) FROM claim WHERE owner NOT IN (SELECT id FROM owner) GROUP BY owner LIMIT ?1",
    )?;
    let mut rows = select.query([number(MAX_DEFECTS as u64)])?;
    while let Some(row) = rows.next()? {
        let (owner, count): (i64, i64) = (row.get(0)?, row.get(1)?);
        let text =
            format!("{count} claims are of an owner with this number, which is not registered");
        found.push(Defect::new(DefectKind::LostClaims, owner.to_string(), text));
    }
    Ok(())
}

/// The subject is the table, the part the number of the queue or set that is not there.
fn lost_payloads(connection: &Connection, found: &mut Vec<Defect>) -> rusqlite::Result<()> {
    for (table, sql) in [
        (
            "ready",
            "SELECT queue, count(*) FROM ready WHERE queue NOT IN (SELECT id FROM queue) GROUP BY queue LIMIT ?1",
        ),
        (
            "claim",
            "SELECT queue, count(*) FROM claim WHERE queue NOT IN (SELECT id FROM queue) GROUP BY queue LIMIT ?1",
        ),
        (
            "timed",
            "SELECT place, count(*) FROM timed WHERE place NOT IN (0, 1, 2) GROUP BY place LIMIT ?1",
        ),
    ] {
        let mut select = connection.prepare(sql)?;
        let mut rows = select.query([number(MAX_DEFECTS as u64)])?;
        while let Some(row) = rows.next()? {
            let (of, count): (i64, i64) = (row.get(0)?, row.get(1)?);
            let text =
                format!("{count} payloads are of a place with this number, which is not there");
            found.push(Defect {
                part: of.to_string().into(),
                ..Defect::new(DefectKind::LostPayloads, table, text)
            });
        }
    }
    Ok(())
}

/// Mends, and says whether there was something to mend.
pub(super) fn repair(
    tables: &mut Tables<'_>,
    defect: &Defect,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let (subject, part) = (text(&defect.subject), text(&defect.part));
    match defect.kind {
        DefectKind::UnlistedQueue => {
            let insert = "INSERT OR IGNORE INTO member (place, name)
                          SELECT ?1, name FROM queue WHERE name = ?2 AND EXISTS (SELECT 1 FROM ready WHERE queue = queue.id)";
            let joined = tables
                .connection
                .execute(insert, params![members(Members::Queues), subject])?;
            Ok(joined > 0)
        }
        DefectKind::WrongType => {
            let Some(table) = TABLES.iter().find(|table| **table == subject) else {
                return Ok(false);
            };
            // The same bytes may stand there already: then it is the same entry.
            let update = format!(
                "UPDATE OR REPLACE {table} SET payload = CAST(payload AS BLOB) WHERE typeof(payload) <> 'blob'"
            );
            let any = tables.connection.execute(&update, [])? > 0;
            count_again(tables)?;
            Ok(any)
        }
        DefectKind::LostClaims => register(tables, &subject),
        DefectKind::LostPayloads => rescue(tables, &subject, &part, now),
        _ => Ok(false),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Gives the number a name again. Its lease has run out, so the next renewal of anybody names it.
fn register(tables: &mut Tables<'_>, owner: &str) -> rusqlite::Result<bool> {
    let insert = "INSERT OR IGNORE INTO owner (id, name, boot, deadline, seq)
                  SELECT owner, ?2, '', 0, NULL FROM claim WHERE owner = ?1 LIMIT 1";
    let id = owner.parse::<i64>().unwrap_or(-1);
    let name = crate::job::random_hex();
    Ok(tables.connection.execute(insert, params![id, name])? > 0)
}

fn rescue(
    tables: &mut Tables<'_>,
    table: &str,
    part: &str,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let of = part.parse::<i64>().unwrap_or(-1);
    let mut any = false;
    match table {
        "ready" => {
            let first = "SELECT pos, payload FROM ready WHERE queue = ?1 AND queue NOT IN (SELECT id FROM queue)
                         ORDER BY pos LIMIT 1";
            while let Some((pos, payload)) = first_row(tables, first, of, position)? {
                let name = queue_of(&payload);
                put(tables, &payload, &name, End::Tail)?;
                tables.connection.execute(
                    "DELETE FROM ready WHERE queue = ?1 AND pos = ?2",
                    params![of, pos],
                )?;
                any = true;
            }
        }
        "claim" => {
            let first = "SELECT owner, token, payload FROM claim WHERE queue = ?1 AND queue NOT IN (SELECT id FROM queue) LIMIT 1";
            let held = |row: &Row<'_>| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, i64>(1)?,
                    row.get::<_, Vec<u8>>(2)?,
                ))
            };
            while let Some((owner, token, payload)) = first_row(tables, first, of, held)? {
                let queue = tables.queue(&queue_of(&payload))?;
                tables.connection.execute(
                    "UPDATE claim SET queue = ?3 WHERE owner = ?1 AND token = ?2",
                    params![owner, token, queue],
                )?;
                any = true;
            }
        }
        "timed" => {
            let update = "UPDATE OR REPLACE timed SET place = ?2, at = ?3 WHERE place = ?1 AND place NOT IN (0, 1, 2)";
            let dead = params![of, place(TimedSet::Dead), now.as_micros()];
            any = tables.connection.execute(update, dead)? > 0;
            count_again(tables)?;
            tables.changed(InterestKind::Timed);
        }
        _ => {}
    }
    Ok(any)
}

/// Counts the sets, after a change that is not counted by itself.
fn count_again(tables: &Tables<'_>) -> rusqlite::Result<()> {
    let update = "UPDATE size SET changes = changes + 1, n = (SELECT count(*) FROM timed WHERE timed.place = size.place)";
    tables.connection.execute(update, []).map(|_| ())
}

fn first_row<T>(
    tables: &Tables<'_>,
    sql: &str,
    of: i64,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Option<T>> {
    let mut select = tables.connection.prepare_cached(sql)?;
    select.query_row([of], read).optional()
}

fn position(row: &Row<'_>) -> rusqlite::Result<(i64, Vec<u8>)> {
    Ok((row.get(0)?, row.get(1)?))
}

/// The queue that a payload names, as whoever moves it reads it.
fn queue_of(payload: &[u8]) -> Arc<str> {
    #[derive(Deserialize)]
    struct Named {
        queue: Arc<str>,
    }
    serde_json::from_slice(payload).map_or_else(|_| "default".into(), |Named { queue }| queue)
}
