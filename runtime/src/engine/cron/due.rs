//! Which ticks are to be made.

use std::time::Duration;

use crate::job::Timestamp;
use crate::job::cron::{CatchUp, CronEntry};

/// How late a tick may be to be made whatever its entry says of ticks that were missed.
const ON_TIME: Duration = Duration::from_secs(5);

/// The ticks after `base` that are to be made at `now`: those that are hardly late, and of those that were missed what the entry makes
/// up for.
pub(super) fn due(entry: &CronEntry, base: Timestamp, now: Timestamp) -> Vec<Timestamp> {
    let schedule = entry.schedule();
    let missed_by = now.before(ON_TIME);
    let on_time = schedule.last_times(base.max(missed_by), now, usize::MAX);
    let count = match entry.catches_up() {
        CatchUp::None => 0,
        CatchUp::Last => usize::from(on_time.is_empty()),
        CatchUp::All(count) => usize::try_from(count).unwrap_or(usize::MAX),
    };
    let from = base.max(now.before(entry.grace()));
    let mut ticks = schedule.last_times(from, missed_by, count);
    ticks.extend(on_time);
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(1_795_514_400_000_000 + second * 1_000_000)
    }

    fn seconds(ticks: Vec<Timestamp>) -> Vec<i64> {
        let second = |tick: Timestamp| (tick.as_micros() - at(0).as_micros()) / 1_000_000;
        ticks.into_iter().map(second).collect()
    }

    fn minutely(catch_up: CatchUp) -> CronEntry {
        let entry = CronEntry::new("a", "* * * * *", "A").unwrap();
        entry.catch_up(catch_up).within(Duration::from_secs(600))
    }

    #[test]
    fn what_is_hardly_late_is_made_whatever_is_made_up_for() {
        for catch_up in [CatchUp::None, CatchUp::Last, CatchUp::All(3)] {
            let entry = minutely(catch_up);
            assert_eq!(seconds(due(&entry, at(-30), at(0))), [0], "{catch_up:?}");
            assert_eq!(seconds(due(&entry, at(-30), at(4))), [0], "{catch_up:?}");
            assert_eq!(seconds(due(&entry, at(0), at(4))), [0; 0], "{catch_up:?}");
        }
        let each_second = CronEntry::new("a", "* * * * * *", "A").unwrap();
        let each_second = each_second.catch_up(CatchUp::None);
        assert_eq!(seconds(due(&each_second, at(0), at(3))), [1, 2, 3]);
    }

    #[test]
    fn what_was_missed_is_made_up_for_as_the_entry_says() {
        let missed = |catch_up, now| seconds(due(&minutely(catch_up), at(-3_600), at(now)));
        assert_eq!(missed(CatchUp::None, 30), [0; 0]);
        assert_eq!(missed(CatchUp::Last, 30), [0]);
        assert_eq!(missed(CatchUp::Last, 0), [0], "the last is hardly late");
        assert_eq!(missed(CatchUp::All(3), 30), [-120, -60, 0]);
        assert_eq!(missed(CatchUp::All(2), 0), [-120, -60, 0]);
        // Ten minutes ago at most.
        assert_eq!(missed(CatchUp::All(1_000), 30).len(), 10);
    }

    #[test]
    fn what_was_missed_too_long_ago_is_given_up() {
        let entry = CronEntry::new("a", "@daily", "A").unwrap();
        let ten_hours_later = due(&entry, at(-20 * 3_600), at(0));
        assert!(ten_hours_later.is_empty());
        let entry = entry.within(Duration::from_secs(11 * 3_600));
        assert_eq!(seconds(due(&entry, at(-20 * 3_600), at(0))), [-10 * 3_600]);
    }
}
