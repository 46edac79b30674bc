//! The entries that a server is given: by the attributes of its jobs, by its builder, and by its schedule file.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;

use crate::job::Registry;
use crate::job::cron::{self, CronEntry, Format, ScheduleError};
use crate::{Error, Result};

/// The entries that a server is given, and where they come from.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct Declared {
    /// The entries by name, each with its origin.
    pub(super) entries: BTreeMap<String, (CronEntry, String)>,
    /// The origins that have no other entries than these.
    pub(super) origins: HashSet<String>,
}

impl Declared {
    /// What is declared here. The schedule file has the last word, the attributes the first.
    ///
    /// # Errors
    /// A zone that there is not; two entries of one name; a schedule file that cannot be used.
    pub(in crate::engine) fn new(
        registry: &Registry,
        given: Vec<CronEntry>,
        file: Option<&Path>,
        program: &str,
    ) -> Result<Self> {
        let mut declared = Self::default();
        let origin = format!("job {program}");
        for job in registry.jobs() {
            // Functions of one name have classes of their own.
            let is_taken = declared.entries.contains_key(job.name);
            let name = if is_taken { job.class } else { job.name };
            let entry =
                CronEntry::of_job(name, job).map_err(|error| Error::config(error.to_string()))?;
            declared.put(entry, &origin, registry);
        }
        let origin = format!("server {program}");
        let mut names = HashSet::new();
        for entry in given {
            if !names.insert(entry.name().to_owned()) {
                let name = entry.name();
                return Err(Error::config(format!(
                    "two cron entries are called {name:?}: give one of them another name"
                )));
            }
            declared.put(Some(entry), &origin, registry);
        }
        // A server that declares none may be one of several that are started in different ways: it takes nothing away.
        let origins = declared.entries.values().map(|(_, origin)| origin.clone());
        declared.origins = origins.collect();
        if let Some(path) = file {
            let entries = read(path).map_err(|error| Error::config(error.to_string()))?;
            let origin = origin_of_file(path);
            for entry in entries {
                declared.put(Some(entry), &origin, registry);
            }
            declared.origins.insert(origin);
        }
        Ok(declared)
    }

    fn put(&mut self, entry: Option<CronEntry>, origin: &str, registry: &Registry) {
        if let Some(entry) = entry {
            let entry = match registry.get(entry.class()) {
                Some(job) => entry.of(job),
                None => entry,
            };
            let entry = (entry.name().to_owned(), (entry, origin.to_owned()));
            self.entries.extend([entry]);
        }
    }
}

/// What the entries of this file are told by.
pub(crate) fn origin_of_file(path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    format!("file {}", path.display())
}

/// The entries of a schedule file.
///
/// # Errors
/// A file that cannot be read, or has mistakes.
pub(crate) fn read(path: &Path) -> std::result::Result<Vec<CronEntry>, ScheduleError> {
    let name = path.display().to_string();
    let format = Format::of(path).ok_or_else(|| {
        ScheduleError::of_file(
            &name,
            "name it .yml, .yaml or .toml, so that its form is known",
        )
    })?;
    let text = fs::read_to_string(path)
        .map_err(|error| ScheduleError::of_file(&name, format!("it cannot be read: {error}")))?;
    cron::parse(&name, &text, format)
}
