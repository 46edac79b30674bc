//! The jobs that a server serves, by class.

use std::collections::HashMap;

use super::payload::Record;
use super::{Definition, States, active_job};

/// The jobs that a server serves.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    by_class: HashMap<&'static str, &'static Definition>,
    jobs: Vec<&'static Definition>,
}

/// The job of a payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resolved {
    pub(crate) definition: &'static Definition,
    /// Whether it came in ActiveJob's wrapper.
    pub(crate) is_active_job: bool,
}

impl Resolved {
    /// The class that people know the job by: not ActiveJob's wrapper.
    pub(crate) fn class<'a>(&self, record: &'a Record) -> &'a str {
        if self.is_active_job {
            self.definition.class
        } else {
            record.class()
        }
    }
}

/// A set of jobs that cannot be served together.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// Two jobs have one class.
    #[error(
        "two jobs are called `{class}` on the wire: `{}` ({}) and `{}` ({}); give one of them another `class = \"...\"`, or \
         take it from its `aliases`",
        .first.name, .first.location, .second.name, .second.location
    )]
    Duplicate {
        /// The class.
        class: &'static str,
        /// The one.
        first: &'static Definition,
        /// The other.
        second: &'static Definition,
    },
    /// A job needs state that the server was not given.
    #[error("{}", missing(.0))]
    MissingState(Vec<MissingState>),
    /// There is nothing to serve.
    #[error(
        "there are no jobs to serve: no `#[job]` function is linked into this program. A crate that nothing names is not \
         linked: write `use my_jobs as _;` where your jobs are in the crate `my_jobs`"
    )]
    Empty,
}

/// A state that a job needs and the server was not given.
#[derive(Clone, Copy, Debug)]
pub struct MissingState {
    /// The job.
    pub job: &'static Definition,
    /// The type's name.
    pub type_name: &'static str,
}

impl Registry {
    /// The registry of these jobs. The same job twice is there once.
    ///
    /// # Errors
    /// Two jobs with one class (aliases count); no job at all.
    pub fn new(jobs: impl IntoIterator<Item = &'static Definition>) -> Result<Self, RegistryError> {
        let mut registry = Self::default();
        for job in jobs {
            if !registry.jobs.iter().any(|known| std::ptr::eq(*known, job)) {
                registry.add(job)?;
            }
        }
        if registry.jobs.is_empty() {
            Err(RegistryError::Empty)
        } else {
            Ok(registry)
        }
    }

    fn add(&mut self, job: &'static Definition) -> Result<(), RegistryError> {
        for &class in std::iter::once(&job.class).chain(job.aliases) {
            match self.by_class.insert(class, job) {
                Some(first) if !std::ptr::eq(first, job) => {
                    return Err(RegistryError::Duplicate {
                        class,
                        first,
                        second: job,
                    });
                }
                _ => {}
            }
        }
        self.jobs.push(job);
        Ok(())
    }

    /// The job of this class or alias.
    #[must_use]
    pub fn get(&self, class: &str) -> Option<&'static Definition> {
        self.by_class.get(class).copied()
    }

    /// The job of this payload: that of its class, else that of the class which ActiveJob's wrapper wraps. Only a payload whose
    /// own class has no job is looked into for one.
    ///
    /// # Errors
    /// The class that has no job.
    pub(crate) fn resolve(&self, record: &Record) -> Result<Resolved, String> {
        let resolved = |definition, is_active_job| Resolved {
            definition,
            is_active_job,
        };
        if let Some(definition) = self.get(record.class()) {
            return Ok(resolved(definition, false));
        }
        match active_job::wrapped(record.class(), record.payload()) {
            Some(class) => match self.get(&class) {
                Some(definition) => Ok(resolved(definition, true)),
                None => Err(class),
            },
            None => Err(record.class().to_owned()),
        }
    }

    /// All jobs, in the order in which they were named.
    #[must_use]
    pub fn jobs(&self) -> &[&'static Definition] {
        &self.jobs
    }

    /// Checks that every state that a job needs is there.
    ///
    /// # Errors
    /// All that are missing.
    pub fn check(&self, states: &States) -> Result<(), RegistryError> {
        let missing: Vec<_> = self
            .jobs
            .iter()
            .flat_map(|job| job.all_states().map(move |state| (*job, state)))
            .filter(|(_, state)| !states.contains((state.id)()))
            .map(|(job, state)| MissingState {
                job,
                type_name: (state.type_name)(),
            })
            .collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(RegistryError::MissingState(missing))
        }
    }
}

fn missing(states: &[MissingState]) -> String {
    let lines: Vec<_> = states
        .iter()
        .map(|MissingState { job, type_name }| {
            format!("job `{}` ({}) needs `#[state]` of type `{type_name}`: add `.state(...)` to the server", job.name, job.location)
        })
        .collect();
    let hint = "(a state of that name was given? then two versions of its crate are linked)";
    format!("{}\n{hint}", lines.join("\n"))
}
