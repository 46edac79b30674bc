//! The features that add guards and effects to transactions, one file each.
//!
//! A layer cannot await and never reaches a database: it only adds to a transaction that is made anyway. To remove a
//! layer, delete its file and its line in [`standard`].

mod statistics;

use std::fmt;

use crate::job::Ending;
use crate::job::payload::{NewJob, Record};
use crate::store::Tx;

/// A feature.
pub trait Layer: fmt::Debug + Send + Sync {
    /// Adds to the transaction that pushes a job.
    fn enqueue(&self, job: &NewJob, tx: &mut Tx) {
        let _ = (job, tx);
    }

    /// Adds to the transaction that ends an execution. `record` is missing where the payload could not be read.
    fn finish(&self, record: Option<&Record>, ending: &Ending, tx: &mut Tx) {
        let _ = (record, ending, tx);
    }
}

/// The layers that every client and every server has.
#[must_use]
pub fn standard() -> Vec<Box<dyn Layer>> {
    vec![Box::new(statistics::Statistics)]
}
