//! Whether the duties are alive.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long a duty may be silent that comes round every five seconds, unless it waits for the store.
pub(super) const LONGEST_SILENCE: Duration = Duration::from_secs(20);

/// The time of a duty that has ended in order.
const ENDED: u64 = u64::MAX;

/// When a duty came round last.
#[derive(Clone, Debug)]
pub(super) struct Pulse {
    start: Instant,
    last_ms: Arc<AtomicU64>,
    longest_silence: Duration,
}

impl Pulse {
    /// Of a duty that comes round after `every` at the latest.
    pub(super) fn new(every: Duration) -> Self {
        Self {
            start: Instant::now(),
            last_ms: Arc::new(AtomicU64::new(0)),
            longest_silence: LONGEST_SILENCE.max(every * 3),
        }
    }

    /// It comes round now.
    pub(super) fn beat(&self) {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(ENDED);
        self.last_ms.store(now, Ordering::Relaxed);
    }

    /// It ends in order, and is not to be heard of again.
    pub(super) fn end(&self) {
        self.last_ms.store(ENDED, Ordering::Relaxed);
    }

    pub(super) fn is_alive(&self) -> bool {
        let last = Duration::from_millis(self.last_ms.load(Ordering::Relaxed));
        self.start.elapsed().saturating_sub(last) < self.longest_silence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duty_that_is_silent_too_long_is_taken_for_dead_unless_it_has_ended() {
        let mut pulse = Pulse::new(Duration::from_secs(1));
        assert!(pulse.is_alive());
        pulse.start = Instant::now().checked_sub(LONGEST_SILENCE).unwrap();
        assert!(!pulse.is_alive());
        pulse.beat();
        assert!(pulse.is_alive());
        pulse.last_ms.store(0, Ordering::Relaxed);
        pulse.end();
        assert!(pulse.is_alive());
    }

    #[test]
    fn a_duty_that_comes_round_seldom_may_be_silent_for_long() {
        let mut pulse = Pulse::new(LONGEST_SILENCE);
        pulse.start = Instant::now().checked_sub(LONGEST_SILENCE).unwrap();
        assert!(pulse.is_alive());
    }
}
