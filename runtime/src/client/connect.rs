//! Choosing a store by its URL.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use crate::store::Store;
use crate::store::memory::MemoryStore;
use crate::store::redis::{RedisOptions, RedisStore};
use crate::store::sqlite::{SqliteOptions, SqliteStore};
use crate::{Error, Result};

/// A store's URL.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// `redis://`, `rediss://`, `redis+unix://`, `redis-sentinel://`, `redis-cluster://`.
    Redis(String),
    /// `sqlite:path`.
    Sqlite(PathBuf),
    /// `memory:`
    Memory,
}

/// A URL as somebody gave it. There may be a password in it, so it is not shown whole.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct GivenUrl(String);

impl GivenUrl {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for GivenUrl {
    fn from(url: T) -> Self {
        Self(url.into())
    }
}

impl fmt::Debug for GivenUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&RedisStore::shown_url(&self.0))
    }
}

/// A parameter of a Redis that stands beside its URL, and where it was said.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RedisParameter {
    pub(crate) name: &'static str,
    pub(crate) values: Vec<String>,
    pub(crate) setting: String,
}

#[cfg(test)]
impl RedisParameter {
    /// The names that there are.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        RedisStore::parameters()
    }
}

/// Without what may be a password.
impl fmt::Debug for RedisParameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.setting)
    }
}

impl StoreUrl {
    /// Whether it is that of a Redis.
    pub(crate) fn is_redis(&self) -> bool {
        matches!(self, Self::Redis(_))
    }

    /// This with parameters that stand elsewhere; what the URL says itself counts. A store that is no Redis takes none.
    ///
    /// # Errors
    /// A parameter that this Redis cannot have.
    pub(crate) fn with_parameters(self, parameters: &[RedisParameter]) -> Result<Self> {
        let Self::Redis(url) = self else {
            return Ok(self);
        };
        let with = |url: String, it: &RedisParameter| {
            RedisStore::with_parameter(&url, it.name, &it.values)
                .map_err(|why| Error::config(format!("{} {why}", it.setting)))
        };
        parameters.iter().try_fold(url, with).map(Self::Redis)
    }

    /// Reads a URL that stands in `setting`.
    ///
    /// # Errors
    /// A scheme that no store has; a path that is missing.
    pub(crate) fn parse(url: &str, setting: &str) -> Result<Self> {
        let wrong = |what: &str| {
            Error::config(format!(
                "{setting} is {:?}, {what}: use redis://host:6379/0, rediss://host:6379/0, sqlite:path/to/file.db or memory:",
                RedisStore::shown_url(url)
            ))
        };
        let (scheme, rest) = url
            .split_once(':')
            .ok_or_else(|| wrong("which is no URL"))?;
        match scheme {
            _ if RedisStore::has_scheme(scheme) => {
                if !rest.starts_with("//") || rest.len() == 2 {
                    return Err(wrong("which names no host"));
                }
                Ok(Self::Redis(url.to_owned()))
            }
            "sqlite" => match rest.strip_prefix("//").unwrap_or(rest) {
                "" => Err(wrong("which names no file")),
                path => Ok(Self::Sqlite(path.into())),
            },
            "memory" if rest.is_empty() => Ok(Self::Memory),
            _ => Err(wrong("which is no store")),
        }
    }

    /// Whether all of it can be read, without opening the store.
    ///
    /// # Errors
    /// What a store makes of it at the latest when it is opened.
    pub(crate) fn check(&self, setting: &str) -> Result<()> {
        match self {
            Self::Redis(url) => RedisStore::check_url(url)
                .map_err(|error| Error::config(format!("{setting} cannot be used: {error}"))),
            Self::Sqlite(path) => {
                let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
                match folder.filter(|folder| !folder.is_dir()) {
                    Some(folder) => Err(Error::config(format!(
                        "{setting} is {self}, whose folder {} is not there: make it, or name another file",
                        folder.display()
                    ))),
                    None => Ok(()),
                }
            }
            Self::Memory => Ok(()),
        }
    }
}

/// As the setting of a store is read.
impl FromStr for StoreUrl {
    type Err = Error;

    fn from_str(url: &str) -> Result<Self> {
        Self::parse(url, "the store")
    }
}

impl fmt::Display for StoreUrl {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redis(url) => f.write_str(&RedisStore::shown_url(url)),
            Self::Sqlite(path) => {
                // Two slashes are not read as a part of the path.
                let slashes = if path.as_os_str().as_encoded_bytes().starts_with(b"//") {
                    "//"
                } else {
                    ""
                };
                write!(f, "sqlite:{slashes}{}", path.display())
            }
            Self::Memory => f.write_str("memory:"),
        }
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreUrl({self})")
    }
}

/// Whether the store answers now: nothing is made where it is not there. Gives what there is to say of it.
///
/// # Errors
/// Those of a start that would fail.
pub(crate) async fn probe(url: &StoreUrl) -> Result<&'static str> {
    match url {
        StoreUrl::Sqlite(path) if !path.exists() => {
            let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new("."));
            writable(folder).map_err(|error| {
                Error::config(format!(
                    "the store is {url}, which cannot be made in {}: {error}; give a folder that can be written to",
                    folder.display()
                ))
            })?;
            Ok("is not there yet, and will be made")
        }
        _ => {
            let store = store(url).await?;
            let census = store.census().await;
            census.map_err(|error| {
                Error::store(format!("{error}; check that it is running"), error)
            })?;
            Ok("answers")
        }
    }
}

#[cfg(unix)]
fn writable(folder: &Path) -> std::io::Result<()> {
    use rustix::fs::{Access, access};

    access(folder, Access::WRITE_OK | Access::EXEC_OK).map_err(Into::into)
}

#[cfg(not(unix))]
fn writable(folder: &Path) -> std::io::Result<()> {
    std::fs::metadata(folder).map(drop)
}

/// Opens the store.
pub(crate) async fn store(url: &StoreUrl) -> Result<Arc<dyn Store>> {
    match url {
        StoreUrl::Redis(redis) => {
            let store = RedisStore::connect(RedisOptions::new(redis.as_str()))
                .await
                .map_err(|error| {
                    Error::store(
                        format!(
                            "{error}; choose another store with --store, SANCHO_STORE or REDIS_URL"
                        ),
                        error,
                    )
                })?;
            tracing::info!(store = %url, "sancho uses the store {url}");
            Ok(Arc::new(store))
        }
        StoreUrl::Sqlite(path) => {
            let absolute = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            let store =
                SqliteStore::open(&absolute, SqliteOptions::default()).map_err(|error| {
                    Error::store(
                        format!(
                            "{error}; choose another store with --store, SANCHO_STORE or REDIS_URL"
                        ),
                        error,
                    )
                })?;
            tracing::info!(store = %absolute.display(), "sancho uses the SQLite file {}", absolute.display());
            Ok(Arc::new(store))
        }
        StoreUrl::Memory => Ok(Arc::new(MemoryStore::new())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_choose_their_store() {
        assert_eq!(
            StoreUrl::parse("sqlite:a/b.db", "x").unwrap(),
            StoreUrl::Sqlite("a/b.db".into())
        );
        assert_eq!(
            StoreUrl::parse("sqlite:///var/b.db", "x").unwrap(),
            StoreUrl::Sqlite("/var/b.db".into())
        );
        assert_eq!(StoreUrl::parse("memory:", "x").unwrap(), StoreUrl::Memory);
        assert_eq!(
            StoreUrl::parse("redis://h", "x").unwrap(),
            StoreUrl::Redis("redis://h".into())
        );
    }

    #[test]
    fn what_is_shown_names_the_same_store() {
        for url in [
            "sqlite:a",
            "sqlite:/a",
            "sqlite:////a",
            "sqlite:////",
            "memory:",
            "redis://h/1",
        ] {
            let store: StoreUrl = url.parse().unwrap();
            assert_eq!(
                store.to_string().parse::<StoreUrl>().unwrap(),
                store,
                "{url}"
            );
        }
    }

    #[test]
    fn what_is_no_store_is_refused_by_name_and_without_its_password() {
        for url in [
            "",
            "redis",
            "redis:",
            "redis://",
            "sqlite:",
            "sqlite://",
            "memory:x",
            "postgres://u:secret@h/db",
            "://",
        ] {
            let error = StoreUrl::parse(url, "REDIS_URL").unwrap_err().to_string();
            assert!(error.starts_with("REDIS_URL is "), "{url}: {error}");
            assert!(error.contains("use redis://host"), "{url}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
