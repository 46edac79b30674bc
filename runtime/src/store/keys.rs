//! The names of what is kept beside the jobs, as in Sidekiq's layout.

use chrono::{DateTime, Datelike, Timelike, Utc};

use super::{Key, Owner};

/// Set for a minute by the process that looks for others that are gone.
pub const PROCESS_CLEANUP: &str = "process_cleanup";

/// The identity of Sidekiq Enterprise's leader.
pub const LEADER: &str = "dear-leader";

/// The hash that describes a process.
#[must_use]
pub fn process(identity: &str) -> Key {
    identity.into()
}

/// The hash of what a process runs: a field a job.
#[must_use]
pub fn work(identity: &str) -> Key {
    format!("{identity}:work").into()
}

/// The same where Sidekiq 6.4 and before look for it.
#[must_use]
pub fn workers(identity: &str) -> Key {
    format!("{identity}:workers").into()
}

/// The list of signals that a process was sent.
#[must_use]
pub fn signals(identity: &str) -> Key {
    format!("{identity}-signals").into()
}

/// The hash of how far a job that iterates has come.
#[must_use]
pub fn iteration(jid: &str) -> Key {
    format!("it-{jid}").into()
}

/// The list of what an owner was told of its claims.
#[must_use]
pub fn orders(owner: &Owner) -> Key {
    format!("sancho:orders:{owner}").into()
}

/// Kept for a while once a running job was cancelled: it goes back to no place.
#[must_use]
pub fn cancelled(jid: &str) -> Key {
    format!("sancho:cancelled:{jid}").into()
}

/// The hash of executions in the minute of `at`, as Sidekiq 8 has it. The hour has no leading zero.
#[must_use]
pub fn minute(at: DateTime<Utc>) -> Key {
    let (day, hour, minute) = (at.format("%y%m%d"), at.hour(), at.minute());
    format!("j|{day}|{hour}:{minute:02}").into()
}

/// The hash of executions in the ten minutes of `at`, as Sidekiq 8 has it: the last digit of the minute is left away.
#[must_use]
pub fn ten_minutes(at: DateTime<Utc>) -> Key {
    let (day, hour, minute) = (at.format("%y%m%d"), at.hour(), at.minute());
    format!("j|{day}|{hour}:{}", minute / 10).into()
}

/// The hash of executions in the minute of `at`, as Sidekiq 7 has it: no leading zeros.
#[must_use]
pub fn minute_of_7(at: DateTime<Utc>) -> Key {
    let (day, hour, minute) = (at.format("%Y%m%d"), at.hour(), at.minute());
    format!("j|{day}|{hour}:{minute}").into()
}

/// How long the executions of a class took in the minute of `at`, as Sidekiq 8 has it.
#[must_use]
pub fn histogram(class: &str, at: DateTime<Utc>) -> Key {
    let (day, hour, minute) = (at.day(), at.hour(), at.minute());
    format!("h|{class}-{day}-{hour}:{minute}").into()
}

/// The same as Sidekiq 7 has it: the day has two digits.
#[must_use]
pub fn histogram_of_7(class: &str, at: DateTime<Utc>) -> Key {
    let (day, hour, minute) = (at.format("%d"), at.hour(), at.minute());
    format!("{class}-{day}-{hour}:{minute}").into()
}

/// The hash of a day's deploys: a field a minute.
#[must_use]
pub fn marks(at: DateTime<Utc>) -> Key {
    format!("{}-marks", at.format("%Y%m%d")).into()
}

/// Set for a minute by who marks a deploy, so that ten machines mark it once.
#[must_use]
pub fn deploy_lock(label: &str) -> Key {
    format!("deploylock-{label}").into()
}

/// The list that is added to when an entry of the cron is changed, so that everybody looks again.
pub const CRON_CHANGES: &str = "sancho:cron:changes";

/// The hash that describes an entry of the cron.
#[must_use]
pub fn cron_entry(name: &str) -> Key {
    format!("sancho:cron:entry:{name}").into()
}

/// The hash of what an entry of the cron has pushed.
#[must_use]
pub fn cron_runs(name: &str) -> Key {
    format!("sancho:cron:runs:{name}").into()
}

/// Set while an entry of the cron is disabled.
#[must_use]
pub fn cron_disabled(name: &str) -> Key {
    format!("sancho:cron:disabled:{name}").into()
}

/// The hash that remembers an entry of the cron that nobody declares any more.
#[must_use]
pub fn cron_left(name: &str) -> Key {
    format!("sancho:cron:left:{name}").into()
}

/// Set by who makes a tick of an entry of the cron; `second` is that of the tick, since the epoch.
#[must_use]
pub fn cron_tick(name: &str, second: i64) -> Key {
    format!("sancho:cron:tick:{second}:{name}").into()
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn keys_are_sidekiqs() {
        let at = Utc.with_ymd_and_hms(2026, 11, 3, 9, 5, 59).unwrap();
        for (key, text) in [
            (process("vm:8751:d72c12a548c5"), "vm:8751:d72c12a548c5"),
            (work("vm:1:a"), "vm:1:a:work"),
            (workers("vm:1:a"), "vm:1:a:workers"),
            (signals("vm:1:a"), "vm:1:a-signals"),
            (iteration("d3ab"), "it-d3ab"),
            (orders(&Owner::from_text("0af")), "sancho:orders:0af"),
            (cancelled("d3ab"), "sancho:cancelled:d3ab"),
            (minute(at), "j|261103|9:05"),
            (ten_minutes(at), "j|261103|9:0"),
            (minute_of_7(at), "j|20261103|9:5"),
            (histogram("PlainJob", at), "h|PlainJob-3-9:5"),
            (histogram_of_7("PlainJob", at), "PlainJob-03-9:5"),
            (marks(at), "20261103-marks"),
            (deploy_lock("v1"), "deploylock-v1"),
        ] {
            assert_eq!(&*key, text);
        }
    }
}
