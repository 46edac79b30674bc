//! The entries that a server is given: by the attributes of its jobs, by its builder, and by its schedule file.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::job::Registry;
use crate::job::cron::{self, CronEntry, Format, ScheduleError};
use crate::{Error, Result};

/// The schedule files that sidekiq-cron would read where nobody names one.
const DEFAULT_FILES: [&str; 3] = [
    "config/schedule.yml",
    "config/schedule.yaml",
    "config/schedule.toml",
];

/// The entries that a server is given, and where they come from.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct Declared {
    /// The entries by name, each with its origin.
    pub(super) entries: BTreeMap<String, (CronEntry, String)>,
    /// The origins that have no other entries than these in this program.
    pub(super) origins: HashSet<String>,
}

/// The schedule file of a server.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) enum ScheduleFile {
    /// None.
    #[default]
    Nowhere,
    /// The first of [`DEFAULT_FILES`] that exists, whenever it is looked for.
    Default,
    /// This one, which has to be there.
    At(PathBuf),
}

impl Declared {
    /// What the code of a program declares. The builder's entries take the place of those of attributes.
    ///
    /// # Errors
    /// A zone that there is not; two entries of one name.
    pub(in crate::engine) fn by_code(
        registry: &Registry,
        given: Vec<CronEntry>,
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
        Ok(declared)
    }

    /// The same with the entries of this file, which take the place of others.
    ///
    /// # Errors
    /// A schedule file that cannot be used.
    pub(in crate::engine) fn with_file(mut self, path: &Path, registry: &Registry) -> Result<Self> {
        let entries = read(path).map_err(|error| Error::config(error.to_string()))?;
        let origin = origin_of_file(path);
        for entry in entries {
            self.put(Some(entry), &origin, registry);
        }
        self.origins.insert(origin);
        Ok(self)
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

    /// What others are told of these entries.
    pub(super) fn forms(&self) -> BTreeMap<String, String> {
        let form = |(name, (entry, _)): (&String, &(CronEntry, String))| {
            let json = entry.to_json().ok()?;
            Some((name.clone(), form(json.as_bytes())))
        };
        self.entries.iter().filter_map(form).collect()
    }
}

impl ScheduleFile {
    /// Where it is, if there is one.
    pub(super) fn path(&self) -> Option<PathBuf> {
        match self {
            Self::Nowhere => None,
            Self::Default => {
                let mut files = DEFAULT_FILES.iter().map(PathBuf::from);
                files.find(|file| file.exists())
            }
            Self::At(path) => Some(path.clone()),
        }
    }
}

/// By what one form of an entry is told from another, in every version of this program: FNV-1a.
pub(super) fn form(json: &[u8]) -> String {
    let hash = json.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
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
