//! What a running server declares, where its schedule file can be read anew meanwhile.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use super::declared::{Declared, ScheduleFile};
use crate::Result;
use crate::job::Registry;
use crate::store::Fields;

/// What a server declares now.
#[derive(Debug, Default)]
pub(in crate::engine) struct Plan {
    registry: Registry,
    by_code: Declared,
    now: Mutex<Now>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Now {
    file: ScheduleFile,
    declared: Arc<Declared>,
    /// How often it was changed.
    version: u64,
}

impl Plan {
    /// What the code of a program declares, and a file.
    ///
    /// # Errors
    /// A file that cannot be used.
    pub(in crate::engine) fn new(
        registry: Registry,
        by_code: Declared,
        file: ScheduleFile,
    ) -> Result<Self> {
        let plan = Self {
            registry,
            by_code,
            now: Mutex::default(),
            changed: Notify::new(),
        };
        plan.lock().file = file;
        plan.read_file()?;
        Ok(plan)
    }

    /// What is declared now.
    pub(super) fn in_force(&self) -> Arc<Declared> {
        self.lock().declared.clone()
    }

    /// Reads the schedule file anew, if there is one, and says where it is.
    ///
    /// # Errors
    /// A file that cannot be used: all stays as it is.
    pub(in crate::engine) fn read_file(&self) -> Result<Option<PathBuf>> {
        let mut now = self.lock();
        let path = now.file.path();
        let declared = match &path {
            Some(path) => self.by_code.clone().with_file(path, &self.registry)?,
            None => self.by_code.clone(),
        };
        if let Some(path) = &path {
            // One that was there has to stay.
            now.file = ScheduleFile::At(path.clone());
        }
        now.declared = Arc::new(declared);
        now.version += 1;
        drop(now);
        self.changed.notify_one();
        Ok(path)
    }

    pub(super) fn declared(&self) -> (Arc<Declared>, u64) {
        let now = self.lock();
        (now.declared.clone(), now.version)
    }

    pub(in crate::engine) fn version(&self) -> u64 {
        self.lock().version
    }

    /// Completes when it was changed since this completed the last time.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// What other processes are told of it, in this process's hash.
    pub(in crate::engine) fn told(&self) -> Option<(Box<str>, Bytes)> {
        let forms = self.lock().declared.forms();
        let json = serde_json::to_vec(&forms).ok()?;
        (!forms.is_empty()).then(|| (DECLARES.into(), json.into()))
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The field of a process's hash that tells which entries it declares, each in which form. Ours alone: Ruby passes over it.
const DECLARES: &str = "cron";

/// What the other live processes declare.
#[derive(Debug, Default)]
pub(super) struct Others(HashMap<String, HashSet<String>>);

impl Others {
    /// What these hashes of processes tell.
    pub(super) fn read(processes: &[Fields]) -> Self {
        let mut others = Self::default();
        for fields in processes {
            let told = fields.iter().find(|(field, _)| field == DECLARES);
            let forms = told.and_then(|(_, json)| serde_json::from_slice(json).ok());
            let forms: BTreeMap<String, String> = forms.unwrap_or_default();
            for (name, form) in forms {
                others.0.entry(name).or_default().insert(form);
            }
        }
        others
    }

    /// Whether one of them declares an entry of this name.
    pub(super) fn declare(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Whether one of them declares it in this form.
    pub(super) fn declare_as(&self, name: &str, form: &str) -> bool {
        self.0.get(name).is_some_and(|forms| forms.contains(form))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(fields: &[(&str, &'static str)]) -> Fields {
        let field = |(name, value): &(&str, &'static str)| ((*name).into(), (*value).into());
        fields.iter().map(field).collect()
    }

    #[test]
    fn others_are_read_and_what_is_no_declaration_is_passed_over() {
        let others = Others::read(&[
            told(&[("info", "{}"), ("cron", r#"{"a":"1","b":"2"}"#)]),
            told(&[("cron", r#"{"a":"3"}"#)]),
            told(&[("cron", "[]")]),
            told(&[]),
        ]);
        assert!(others.declare("a") && others.declare("b") && !others.declare("c"));
        assert!(others.declare_as("a", "1") && others.declare_as("a", "3"));
        assert!(!others.declare_as("a", "2") && !others.declare_as("c", "1"));
    }
}
