//! The rows of a CSV file.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::PathBuf;

use ::csv::{ByteRecord, Error, Reader};
use serde::de::DeserializeOwned;

use super::Source;

/// How many rows are read at once.
const READ_AT_ONCE: usize = 256;

/// The rows of a CSV file whose first line names the columns, each read into a `T`. The cursor is the index of the row, from 0,
/// as in Sidekiq, so the file must be the same in every run. It is read on the blocking pool.
///
/// ```
/// use sancho::iterate::{self, Source};
///
/// #[derive(serde::Deserialize)]
/// struct User {
///     name: String,
///     email: String,
/// }
///
/// fn users(file: String, cursor: Option<u64>) -> impl Source<Item = User, Cursor = u64> {
///     iterate::csv(file, cursor)
/// }
/// # let _ = users(String::new(), None);
/// ```
#[must_use]
pub fn csv<T>(path: impl Into<PathBuf>, cursor: Option<u64>) -> Csv<T> {
    let next = cursor.unwrap_or(0);
    Csv {
        file: CsvFile::Closed {
            path: path.into(),
            skip: next,
        },
        rows: VecDeque::new(),
        next,
    }
}

/// What [`csv()`] gives.
pub struct Csv<T> {
    file: CsvFile,
    /// Read and not given yet.
    rows: VecDeque<Result<T, Error>>,
    next: u64,
}

enum CsvFile {
    Closed { path: PathBuf, skip: u64 },
    Open(Box<Reader<File>>),
    Over,
}

impl<T: DeserializeOwned + Send + 'static> Source for Csv<T> {
    type Item = T;
    type Cursor = u64;
    type Error = Error;

    async fn next(&mut self) -> Result<Option<(T, u64)>, Error> {
        if self.rows.is_empty() {
            self.read().await?;
        }
        let Some(row) = self.rows.pop_front() else {
            return Ok(None);
        };
        let index = self.next;
        self.next += 1;
        Ok(Some((row?, index)))
    }
}

impl<T: DeserializeOwned + Send + 'static> Csv<T> {
    async fn read(&mut self) -> Result<(), Error> {
        let file = std::mem::replace(&mut self.file, CsvFile::Over);
        let reading = tokio::task::spawn_blocking(move || file.read());
        let read = reading.await.map_err(io::Error::other)?;
        (self.file, self.rows) = read?;
        Ok(())
    }
}

impl CsvFile {
    fn read<T: DeserializeOwned>(self) -> Result<(Self, VecDeque<Result<T, Error>>), Error> {
        let mut reader = match self {
            Self::Closed { path, skip } => open(path, skip)?,
            Self::Open(reader) => reader,
            Self::Over => return Ok((Self::Over, VecDeque::new())),
        };
        let rows: VecDeque<_> = reader.deserialize().take(READ_AT_ONCE).collect();
        let file = if rows.len() < READ_AT_ONCE {
            Self::Over
        } else {
            Self::Open(reader)
        };
        Ok((file, rows))
    }
}

fn open(path: PathBuf, skip: u64) -> Result<Box<Reader<File>>, Error> {
    let named = |error: io::Error| {
        let message = format!("{}: {error}", path.display());
        io::Error::new(error.kind(), message)
    };
    let mut reader = Reader::from_reader(File::open(&path).map_err(named)?);
    let mut record = ByteRecord::new();
    for _ in 0..skip {
        if !reader.read_byte_record(&mut record)? {
            break;
        }
    }
    Ok(Box::new(reader))
}

impl<T> fmt::Debug for Csv<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Csv(at row {})", self.next)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Row {
        n: usize,
        name: String,
    }

    fn file(rows: usize) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "n,name").unwrap();
        for n in 0..rows {
            writeln!(file, "{n},\"the {n}.\nof all\"").unwrap();
        }
        file
    }

    async fn numbers(mut source: Csv<Row>) -> Vec<(usize, u64)> {
        let mut all = Vec::new();
        while let Some((row, cursor)) = source.next().await.unwrap() {
            assert_eq!(row.name, format!("the {}.\nof all", row.n));
            all.push((row.n, cursor));
        }
        all
    }

    #[tokio::test]
    async fn a_file_is_read_from_any_row_on() {
        for rows in [0, 1, READ_AT_ONCE, READ_AT_ONCE * 2 + 1] {
            let file = file(rows);
            for begin in [0, 1, rows / 2, rows, rows + 1] {
                let wanted: Vec<_> = (begin..rows).map(|n| (n, n as u64)).collect();
                let source = csv(file.path(), Some(begin as u64));
                assert_eq!(numbers(source).await, wanted, "{rows} from {begin}");
            }
        }
    }

    #[tokio::test]
    async fn a_row_that_cannot_be_read_comes_after_those_before_it() {
        let mut file = file(1);
        writeln!(file, "no number,x").unwrap();
        let mut source = csv::<Row>(file.path(), None);
        assert_eq!(source.next().await.unwrap().unwrap().1, 0);
        let error = source.next().await.unwrap_err().to_string();
        assert!(error.contains("line: 4"), "{error}");
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_is_named() {
        let error = csv::<Row>("no/such.csv", None).next().await.unwrap_err();
        assert!(error.to_string().contains("no/such.csv"), "{error}");
    }
}
