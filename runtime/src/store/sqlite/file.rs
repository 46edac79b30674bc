//! Whether the file that is open is still the one at its path.
//!
//! A file that was deleted stays open, and takes what nobody will ever find: the next process makes a new one.

use std::path::PathBuf;

use rusqlite::Connection;

/// A file, and which one it was when it was opened.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    id: Option<Id>,
}

/// The device and the number on it. Where there are none, a file is not told from another.
type Id = (u64, u64);

impl File {
    pub(super) fn of(connection: &Connection) -> Self {
        let path = PathBuf::from(connection.path().unwrap_or_default());
        Self {
            id: id(&path),
            path,
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        self.id.is_some() && id(&self.path) != self.id
    }
}

#[cfg(unix)]
fn id(path: &std::path::Path) -> Option<Id> {
    use std::os::unix::fs::MetadataExt;

    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn id(_: &std::path::Path) -> Option<Id> {
    None
}
