//! The counters of executions, in total and per day.

use super::Layer;
use crate::job::Ending;
use crate::job::payload::Record;
use crate::store::{Effect, Stat, Tx};

/// Counts what was processed and what failed. Interruptions and recoveries are neither.
#[derive(Debug)]
pub(super) struct Statistics;

impl Layer for Statistics {
    fn finish(&self, _: Option<&Record>, ending: &Ending, tx: &mut Tx) {
        if ending.is_processed() {
            tx.then.push(Effect::Count(Stat::Processed, 1));
        }
        if ending.is_failed() {
            tx.then.push(Effect::Count(Stat::Failed, 1));
        }
    }
}
