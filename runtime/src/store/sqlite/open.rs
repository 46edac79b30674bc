//! Opening the file.

use std::error::Error as StdError;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::Durability;

/// The version of the tables.
const VERSION: i64 = 1;

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
    let of = |error| OpenError::of(path, error);
    let mut writer = Connection::open(path).map_err(of)?;
    prepare(&mut writer, durability).map_err(of)?;
    match version(&mut writer).map_err(of)? {
        VERSION => {}
        other => {
            let reason = format!(
                "its tables are of version {other}, this program knows version {VERSION}: name another file"
            );
            return Err(OpenError::new(path, reason));
        }
    }
    writer.busy_timeout(Duration::ZERO).map_err(of)?;
    let reader = Connection::open(path).map_err(of)?;
    reader.busy_timeout(PATIENCE).map_err(of)?;
    Ok((writer, reader))
}

fn prepare(writer: &mut Connection, durability: Durability) -> rusqlite::Result<()> {
    writer.busy_timeout(PATIENCE)?;
    writer.pragma_update(None, "journal_mode", "WAL")?;
    let synchronous = match durability {
        Durability::Normal => "NORMAL",
        Durability::Full => "FULL",
    };
    writer.pragma_update(None, "synchronous", synchronous)?;
    writer.pragma_update(None, "temp_store", "MEMORY")?;
    writer.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// The version of the tables, which are made where there are none. Two processes may open a new file at once: the lock is taken
/// before the look.
fn version(writer: &mut Connection) -> rusqlite::Result<i64> {
    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables: i64 =
        transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if version == 0 && tables == 0 {
        transaction.execute_batch(include_str!("schema.sql"))?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()?;
        return Ok(VERSION);
    }
    Ok(version)
}
