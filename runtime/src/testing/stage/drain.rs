//! Running what a fake holds until nothing is due.

use super::run::Ran;
use super::{DUE_SETS, Kind, Stage, Which};
use crate::job::Timestamp;
use crate::store::TimedSet;
use crate::testing::{Enqueued, RunError};

/// How many jobs run to an end before it is taken for endless.
const MOST_RUNS: usize = 100_000;

impl Stage {
    /// Runs what is due until nothing is.
    pub(in crate::testing) async fn drain(&self, which: Which) -> Result<usize, RunError> {
        self.refuse_beside_a_server();
        let mut ran = 0;
        loop {
            let before = ran;
            for job in self.waiting(which) {
                ran += usize::from(self.run_or_fail(&job, which).await?);
                if ran >= MOST_RUNS {
                    return Err(RunError::Endless { ran });
                }
            }
            if ran == before {
                return Ok(ran);
            }
        }
    }

    pub(in crate::testing) async fn perform_one(&self, which: Which) -> Result<(), RunError> {
        self.refuse_beside_a_server();
        for job in self.waiting(which) {
            if self.run_or_fail(&job, which).await? {
                return Ok(());
            }
        }
        Err(RunError::Empty(self.nothing_due(which)))
    }

    /// Runs everything to its end, and moves the clock to where what waits is due. Gives how many have run, and what failed.
    pub(in crate::testing) async fn drain_to_end(
        &self,
    ) -> Result<(usize, Vec<RunError>), RunError> {
        self.refuse_beside_a_server();
        let (mut ran, mut failures) = (0, Vec::new());
        loop {
            let before = ran;
            for job in self.waiting(Which::All) {
                match self.run_or_fail(&job, Which::All).await {
                    Ok(has_run) => ran += usize::from(has_run),
                    Err(failed @ RunError::Failed { .. }) => {
                        ran += 1;
                        failures.push(failed);
                    }
                    Err(error) => return Err(error),
                }
                if ran >= MOST_RUNS {
                    return Err(RunError::Endless { ran });
                }
            }
            if ran == before {
                match self.next_due() {
                    Some(next) => self.clock.set(next),
                    None => return Ok((ran, failures)),
                }
            }
        }
    }

    fn next_due(&self) -> Option<Timestamp> {
        let next = |set: TimedSet| self.in_set(set).first()?.at();
        DUE_SETS.into_iter().filter_map(next).min().map(Into::into)
    }

    fn nothing_due(&self, which: Which) -> String {
        let name = match which {
            Which::All => "job".to_owned(),
            Which::Of(_) => format!("job `{}`", which.name()),
        };
        let later = DUE_SETS.into_iter().flat_map(|set| self.in_set(set));
        let next = later
            .filter(|job| which.includes(job))
            .filter_map(|job| job.at())
            .min();
        match next {
            None => format!("no {name} is enqueued"),
            Some(at) => {
                let wait = Timestamp::from(at).since(self.clock.now());
                format!(
                    "no {name} is due; the next one is in {wait:?}: move the clock with `fake.advance(...)`"
                )
            }
        }
    }

    /// Runs a job; says whether it was still there.
    async fn run_or_fail(&self, job: &Enqueued, which: Which) -> Result<bool, RunError> {
        let Some(queue) = job.standing_in() else {
            return Ok(false);
        };
        match self.run(queue, job.payload(), which).await {
            Ran::Gone => Ok(false),
            Ran::Well => Ok(true),
            Ran::Badly(failure) => Err(RunError::Failed {
                job: Box::new(job.clone()),
                failure: Box::new(failure),
            }),
            Ran::Unrunnable(reason) => Err(RunError::Unrunnable {
                job: Box::new(job.clone()),
                reason,
            }),
        }
    }

    #[track_caller]
    fn refuse_beside_a_server(&self) {
        assert!(
            !matches!(self.kind, Kind::Served(_)),
            "a server of this test runs its jobs: wait for it with `server.until_idle()` instead of draining"
        );
    }
}
