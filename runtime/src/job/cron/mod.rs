//! Jobs that are enqueued by themselves: when, and what.
//!
//! A [`CronEntry`] is a name, a cron expression in a time zone, and the job that is enqueued at each of its times, its *ticks*.
//! Entries come from `#[job(cron = "...")]`, from a schedule file, from
//! [`ServerBuilder::cron`](crate::runtime::ServerBuilder::cron), and at run time from [`api::Cron`](crate::api::Cron). They stand in the
//! store, so every process sees them, and whichever process is first makes a tick.
//!
//! # Expressions
//! Five fields: minute, hour, day of the month, month, weekday; six with the second first. A field is `*`, a value, a range (`1-5`, which
//! may go round: `22-2`), either with a step (`*/15`, `8-18/2`, `5/20`), or a list of these. Months and weekdays have their English names, which may
//! be cut to three letters; both 0 and 7 are the Sunday. Where day and weekday both say something, one of them is
//! enough. `@hourly`, `@daily`, `@midnight`, `@noon`, `@weekly`, `@monthly`, `@yearly` and `@annually` are names for the usual.
//!
//! # When clocks are changed
//! * A wall time that does not exist, since clocks were set forward, comes once, at the end of the gap; all that the gap left out comes
//!   then together, as one tick.
//! * A wall time that there is twice, since clocks were set back, comes once, the first time; but where the second, the minute or the hour is
//!   `*` or has a step, it comes both times: such an entry goes by the time that passes.
//!
//! # Ticks
//! * Each tick is made once, however many processes run, and none of them is a leader. It is a transaction that holds only while nobody
//!   has made that tick.
//! * A tick is made by the store's clock, less than 100 ms late where the store answers at once.
//! * An entry does not come at once when it is new: its first tick is the next one. What comes while it is disabled is not made up
//!   for. When its expression or zone is changed, it begins anew.
//! * A tick that is more than 5 s late was missed: no process ran, or the store was away. What becomes of it says
//!   [`CatchUp`]; those that were missed longer ago than [`CronEntry::grace`] are given up in any case.
//! * A quiet server makes no ticks, as it moves no job from the schedule.

mod describe;
mod entry;
mod expression;
mod file;
mod schedule;
#[cfg(test)]
mod tests;

pub use entry::{CatchUp, CronEntry, MAX_CATCH_UP};
pub use expression::CronError;
pub use file::{Format, ScheduleError, parse};
pub use schedule::CronSchedule;
