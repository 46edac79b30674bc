//! What the run remembers in its folder.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sancho::engine::{Execution, Middleware, Next};
use sancho::{Failure, JobId, Outcome};

use super::signups::SignUp;

/// The memory of a run. As middleware it writes down which executions failed.
#[derive(Clone)]
pub(crate) struct Ledger {
    dir: PathBuf,
    run: String,
    enqueued: Arc<HashSet<String>>,
}

impl Ledger {
    /// Goes on with the run in this folder, or begins one.
    pub(crate) fn open(dir: &Path) -> std::io::Result<Self> {
        fs::create_dir_all(dir)?;
        let run_file = dir.join("run");
        if !run_file.exists() {
            fs::write(&run_file, JobId::random().as_str())?;
        }
        let enqueued = fs::read_to_string(dir.join("enqueued")).unwrap_or_default();
        Ok(Self {
            run: fs::read_to_string(run_file)?,
            enqueued: Arc::new(enqueued.lines().map(str::to_owned).collect()),
            dir: dir.to_owned(),
        })
    }

    /// The id of the job for this key: the same in every process of a run, another in another run.
    pub(crate) fn jid(&self, key: &str) -> JobId {
        let hash = |part: u8| {
            let mut hasher = DefaultHasher::new();
            (part, &self.run, key).hash(&mut hasher);
            hasher.finish()
        };
        JobId::from_text(format!("{:016x}{:08x}", hash(0), hash(1) >> 32))
    }

    /// Whether this job is still to be enqueued.
    pub(crate) fn begin(&self, jid: &JobId) -> bool {
        !self.enqueued.contains(jid.as_str())
    }

    /// Writes down that it was.
    pub(crate) fn remember(&self, jid: &JobId) -> std::io::Result<()> {
        self.append("enqueued", jid.as_str())
    }

    /// How many of the welcome mails are written.
    pub(crate) fn mails(&self, sign_ups: &[SignUp]) -> usize {
        sign_ups
            .iter()
            .filter(|sign_up| self.has_mail(&sign_up.key()))
            .count()
    }

    /// Whether the job for this key has written its mail.
    pub(crate) fn has_mail(&self, key: &str) -> bool {
        self.folder()
            .join(format!("{}.eml", self.jid(key)))
            .exists()
    }

    /// How many executions failed.
    pub(crate) fn failures(&self) -> std::io::Result<usize> {
        Ok(fs::read_to_string(self.dir.join("failures")).map_or(0, |lines| lines.lines().count()))
    }

    /// Where the mails are.
    pub(crate) fn folder(&self) -> PathBuf {
        self.dir.join("mails")
    }

    fn append(&self, file: &str, line: &str) -> std::io::Result<()> {
        let mut file: File = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.dir.join(file))?;
        file.write_all(format!("{line}\n").as_bytes())
    }
}

impl Middleware for Ledger {
    async fn call(&self, job: &Execution<'_>, next: Next<'_>) -> Result<Outcome, Failure> {
        let result = next.run().await;
        if let Err(failure) = &result {
            let line = format!(
                "{} {} {}",
                job.context().jid(),
                job.class(),
                failure.message
            );
            if let Err(error) = self.append("failures", &line) {
                eprintln!(
                    "the failure of {} was not written down: {error}",
                    job.class()
                );
            }
        }
        result
    }
}
