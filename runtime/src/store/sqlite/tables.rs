//! The tables, and what is remembered of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use crate::store::{InterestKind, Owner};

/// How many owners' numbers are remembered; those of the dead are of no use.
const MAX_OWNERS: usize = 1_024;

/// The tables, in a transaction.
pub(super) struct Tables<'a> {
    pub(super) connection: &'a Connection,
    pub(super) known: &'a mut Known,
    pub(super) news: &'a mut News,
}

/// What is remembered between transactions, so as not to be asked for each time.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The numbers of owners and queues, which never change.
    owners: HashMap<Owner, i64>,
    queues: HashMap<Arc<str>, i64>,
    /// Queues that are certainly in the set of names. True for one transaction: another process may take them out.
    pub(super) joined: HashSet<i64>,
    /// When receipts and notes that ran out are dropped next, in microseconds.
    pub(super) next_purge: i64,
}

/// What a transaction tells the thread that runs it.
#[derive(Debug, Default)]
pub(super) struct News {
    /// The kinds of change that were made.
    queues: bool,
    timed: bool,
    lists: bool,
    /// The work failed, and has learned how to do without what failed: it is worth to be run again.
    pub(super) again: bool,
}

impl News {
    /// Whether a change of this kind was made.
    pub(super) fn has(&self, kind: InterestKind) -> bool {
        match kind {
            InterestKind::Queues => self.queues,
            InterestKind::Timed => self.timed,
            InterestKind::Lists => self.lists,
        }
    }
}

impl Tables<'_> {
    /// The owner was given another number, or none.
    pub(super) fn forget_number(&mut self, owner: &Owner) {
        self.known.owners.remove(owner);
    }

    /// Something of this kind has changed; told to those who wait once it is committed.
    pub(super) fn changed(&mut self, kind: InterestKind) {
        match kind {
            InterestKind::Queues => self.news.queues = true,
            InterestKind::Timed => self.news.timed = true,
            InterestKind::Lists => self.news.lists = true,
        }
    }

    /// The owner's number; `None` for one that nobody knows.
    pub(super) fn owner(&mut self, owner: &Owner) -> rusqlite::Result<Option<i64>> {
        if let Some(id) = self.known.owners.get(owner) {
            return Ok(Some(*id));
        }
        let mut select = self
            .connection
            .prepare_cached("SELECT id FROM owner WHERE name = ?1")?;
        let id = select
            .query_row([owner.as_str()], |row| row.get(0))
            .optional()?;
        if let Some(id) = id {
            if self.known.owners.len() >= MAX_OWNERS {
                self.known.owners.clear();
            }
            self.known.owners.insert(owner.clone(), id);
        }
        Ok(id)
    }

    /// The queue's number; `None` for one that nobody knows.
    pub(super) fn known_queue(&mut self, name: &Arc<str>) -> rusqlite::Result<Option<i64>> {
        if let Some(id) = self.known.queues.get(name) {
            return Ok(Some(*id));
        }
        let mut select = self
            .connection
            .prepare_cached("SELECT id FROM queue WHERE name = ?1")?;
        let id = select.query_row([&**name], |row| row.get(0)).optional()?;
        if let Some(id) = id {
            self.known.queues.insert(name.clone(), id);
        }
        Ok(id)
    }

    /// The queue's number, which it is given where it has none.
    pub(super) fn queue(&mut self, name: &Arc<str>) -> rusqlite::Result<i64> {
        if let Some(id) = self.known_queue(name)? {
            return Ok(id);
        }
        self.connection
            .prepare_cached("INSERT INTO queue (name) VALUES (?1)")?
            .execute(params![&**name])?;
        let id = self.connection.last_insert_rowid();
        self.known.queues.insert(name.clone(), id);
        Ok(id)
    }
}

/// Runs `work` so that it leaves nothing behind where it fails.
pub(super) fn savepoint<T>(
    tables: &mut Tables<'_>,
    work: impl FnOnce(&mut Tables<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    tables
        .connection
        .prepare_cached("SAVEPOINT request")?
        .execute([])?;
    let result = work(tables);
    if result.is_err() {
        // What was remembered of this work is undone with it.
        *tables.known = Known::default();
    }
    if !tables.connection.is_autocommit() {
        if result.is_err() {
            tables
                .connection
                .prepare_cached("ROLLBACK TO request")?
                .execute([])?;
        }
        tables
            .connection
            .prepare_cached("RELEASE request")?
            .execute([])?;
    }
    result
}
