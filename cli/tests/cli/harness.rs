//! A store that the built command is run on.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use sancho_tests::RedisServer;
use serde_json::Value;

/// A store that commands are run on.
pub(crate) struct Store {
    pub(crate) url: String,
    pub(crate) folder: tempfile::TempDir,
    /// Ends with the store.
    _redis: Option<RedisServer>,
}

/// What a command has printed, and its exit code.
pub(crate) struct Done {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: Option<i32>,
}

impl Store {
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("jobs.db").display());
        Self {
            url,
            folder,
            _redis: None,
        }
    }

    pub(crate) fn redis() -> Self {
        let redis = RedisServer::start(&[]);
        Self {
            url: redis.url(),
            folder: tempfile::tempdir().unwrap(),
            _redis: Some(redis),
        }
    }

    pub(crate) fn run(&self, args: &[&str]) -> Done {
        let mut all = vec!["--store", &self.url];
        all.extend(args);
        run(self.folder.path(), &all)
    }

    /// Runs a command that must work, and reads its JSON.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let mut all = vec!["--json"];
        all.extend(args);
        let done = self.run(&all);
        assert_eq!(done.code, Some(0), "{args:?}: {}", done.err);
        serde_json::from_str(&done.out)
            .unwrap_or_else(|error| panic!("{args:?}: {error}: {}", done.out))
    }

    pub(crate) fn does(&self, args: &[&str]) -> String {
        let done = self.run(args);
        assert_eq!(done.code, Some(0), "{args:?}: {}", done.err);
        done.out
    }

    pub(crate) fn fails(&self, code: i32, args: &[&str]) -> String {
        let done = self.run(args);
        assert_eq!(done.code, Some(code), "{args:?}: {} {}", done.out, done.err);
        done.err
    }

    pub(crate) fn enqueue(&self, args: &[&str]) -> String {
        let mut all = vec!["enqueue"];
        all.extend(args);
        self.json(&all)["jid"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn run(folder: &Path, args: &[&str]) -> Done {
    let Output {
        stdout,
        stderr,
        status,
    } = Command::new(env!("CARGO_BIN_EXE_sancho"))
        .args(args)
        .current_dir(folder)
        .env_remove("SANCHO_STORE")
        .env_remove("REDIS_PROVIDER")
        .env_remove("REDIS_URL")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Done {
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
        code: status.code(),
    }
}

/// Runs a case on both stores.
macro_rules! on_both {
    ($($name:ident)*) => {
        mod sqlite {$(
            #[test]
            fn $name() {
                super::$name(&crate::harness::Store::sqlite());
            }
        )*}
        mod redis {$(
            #[test]
            fn $name() {
                super::$name(&crate::harness::Store::redis());
            }
        )*}
    };
}
pub(crate) use on_both;
