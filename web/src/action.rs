//! What can be done, as [`Options::authorize`](crate::Options::authorize) is asked and as the log has it.

/// Something that a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// See anything at all.
    Look,
    /// Pause a queue, or let it go on.
    PauseQueue,
    /// Delete all jobs of a queue.
    ClearQueue,
    /// Move a job to the head of its queue.
    RunNext,
    /// Delete jobs.
    DeleteJobs,
    /// Put jobs into their queues now.
    RetryJobs,
    /// Move jobs to another time.
    RescheduleJobs,
    /// Move jobs to the dead set.
    KillJobs,
    /// Tell a running job to end.
    CancelJob,
    /// Tell a process to take no more jobs.
    QuietProcess,
    /// Tell a process to stop.
    StopProcess,
    /// Tell a process to log what it is doing.
    DumpProcess,
    /// Enable or disable an entry of the cron.
    SwitchCron,
    /// Push the job of an entry of the cron now.
    RunCron,
}

impl Action {
    /// Its name in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::PauseQueue => "pause_queue",
            Self::ClearQueue => "clear_queue",
            Self::RunNext => "run_next",
            Self::DeleteJobs => "delete_jobs",
            Self::RetryJobs => "retry_jobs",
            Self::RescheduleJobs => "reschedule_jobs",
            Self::KillJobs => "kill_jobs",
            Self::CancelJob => "cancel_job",
            Self::QuietProcess => "quiet_process",
            Self::StopProcess => "stop_process",
            Self::DumpProcess => "dump_process",
            Self::SwitchCron => "switch_cron",
            Self::RunCron => "run_cron",
        }
    }
}
