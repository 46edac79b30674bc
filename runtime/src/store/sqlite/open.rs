//! Opening the file.

use std::error::Error as StdError;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::Durability;
use super::writer::{is_busy, pause};

/// What makes the tables of each version out of those of the version before.
const SCHEMAS: [&str; 3] = [
    include_str!("schema.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
];

/// The version of the tables.
const VERSION: i64 = 3;

/// How long the opening waits for another process that makes the tables or writes.
const PATIENCE: Duration = Duration::from_secs(5);

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the SQLite file {} cannot be used: {reason}", .path.display())]
pub struct OpenError {
    path: PathBuf,
    reason: String,
    #[source]
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl OpenError {
    fn new(path: &Path, reason: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            reason: reason.into(),
            source: None,
        }
    }

    pub(super) fn no_thread(path: &Path, error: std::io::Error) -> Self {
        let reason = format!("its threads cannot be started: {error}");
        Self {
            source: Some(Box::new(error)),
            ..Self::new(path, reason)
        }
    }

    fn of(path: &Path, error: rusqlite::Error) -> Self {
        let reason = match error.sqlite_error_code() {
            Some(ErrorCode::CannotOpen) => {
                "it cannot be opened or made: check the permissions of its folder".to_owned()
            }
            Some(ErrorCode::NotADatabase) => {
                "it is not a SQLite database: name another file".to_owned()
            }
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                "it cannot be written: check its permissions".to_owned()
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                format!(
                    "another process has held its lock for {PATIENCE:?}: end that, or name another file"
                )
            }
            Some(ErrorCode::DiskFull) => "the disk is full".to_owned(),
            _ => error.to_string(),
        };
        Self {
            source: Some(Box::new(error)),
            ..Self::new(path, reason)
        }
    }
}

/// The connection that writes, and the one that looks.
pub(super) fn connections(
    path: &Path,
    durability: Durability,
) -> Result<(Connection, Connection), OpenError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
        return Err(OpenError::new(
            path,
            format!(
                "the folder {} does not exist: make it first",
                folder.display()
            ),
        ));
    }
    if path.is_dir() {
        return Err(OpenError::new(path, "it is a folder: name a file"));
    }
    let of = |error| OpenError::of(path, error);
    let mut writer = Connection::open(path).map_err(of)?;
    writer.busy_timeout(PATIENCE).map_err(of)?;
    // Looked at before anything is written: the file may be another program's.
    if let Tables::Others(reason) = first_look(&mut writer).map_err(of)? {
        return Err(OpenError::new(path, reason));
    }
    if !prepare(&writer, durability).map_err(of)? {
        let reason = "its file system cannot hold a write-ahead log: put it on a local disk";
        return Err(OpenError::new(path, reason));
    }
    make_tables(&mut writer).map_err(of)?;
    writer.busy_timeout(Duration::ZERO).map_err(of)?;
    let reader = Connection::open(path).map_err(of)?;
    reader.busy_timeout(PATIENCE).map_err(of)?;
    Ok((writer, reader))
}

/// Whose tables are in a file.
enum Tables {
    /// Made by us, of this version; there are none in version 0.
    Ours(i64),
    Others(String),
}

/// In one transaction, so that another process that makes the tables now is not seen half done.
fn first_look(connection: &mut Connection) -> rusqlite::Result<Tables> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
    tables(&transaction)
}

fn tables(connection: &Connection) -> rusqlite::Result<Tables> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(match (version, tables) {
        (0, 0) => Tables::Ours(0),
        (1..=VERSION, _) => Tables::Ours(version),
        (0, _) => Tables::Others("it is a database of another program: name another file".into()),
        _ => Tables::Others(format!(
            "its tables are of version {version}, this program knows them up to version {VERSION}: use a newer sancho, or name another file"
        )),
    })
}

/// Whether the file could be given a write-ahead log.
fn prepare(writer: &Connection, durability: Durability) -> rusqlite::Result<bool> {
    let mode = set_journal_mode(writer)?;
    let synchronous = match durability {
        Durability::Normal => "NORMAL",
        Durability::Full => "FULL",
    };
    writer.pragma_update(None, "synchronous", synchronous)?;
    writer.pragma_update(None, "temp_store", "MEMORY")?;
    writer.pragma_update(None, "foreign_keys", true)?;
    // In KiB.
    writer.pragma_update(None, "cache_size", -16_384)?;
    // A log that grew while a look held it up is cut again.
    writer.pragma_update(None, "journal_size_limit", 64 << 20)?;
    writer.set_prepared_statement_cache_capacity(64);
    Ok(mode.eq_ignore_ascii_case("wal"))
}

/// SQLite does not wait for the lock of this switch, whatever the busy timeout: it is asked until it is there.
fn set_journal_mode(writer: &Connection) -> rusqlite::Result<String> {
    let patience = Instant::now() + PATIENCE;
    loop {
        match writer.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0)) {
            Err(error) if is_busy(&error) && Instant::now() < patience => pause(),
            result => return result,
        }
    }
}

/// Makes the tables that are missing. Two processes may open a new file at once: the lock is taken before the look.
fn make_tables(writer: &mut Connection) -> rusqlite::Result<()> {
    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if let Tables::Ours(version) = tables(&transaction)? {
        let made = usize::try_from(version).unwrap_or(0);
        for schema in SCHEMAS.iter().skip(made) {
            transaction.execute_batch(schema)?;
        }
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()
}
