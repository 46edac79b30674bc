//! The questions, one a file. Each file has the same order: what is set, `measure`, one round, what is said of it.

mod drain;
mod limit;

use crate::Result;
use crate::report::Section;
use crate::setting::Setting;

/// A question and how it is answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question {
    pub(crate) name: &'static str,
    pub(crate) measure: fn(&Setting) -> Result<Section>,
}

/// In the order of the page.
pub(crate) const QUESTIONS: &[Question] = &[Question {
    name: "drain",
    measure: drain::measure,
}];
