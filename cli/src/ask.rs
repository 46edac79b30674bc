//! Asking before something is destroyed.

use std::io::{BufRead as _, IsTerminal as _, Write as _, stderr, stdin};

use crate::error::{Error, Result};
use crate::output::one_line;

/// Whether somebody is to be asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    yes: bool,
}

impl Ask {
    pub(crate) fn new(yes: bool) -> Self {
        Self { yes }
    }

    /// Says what will be done, and asks for a yes unless it was given.
    ///
    /// # Errors
    /// A no, and a standard input that nobody can answer on.
    pub(crate) fn before(self, plan: &str) -> Result<()> {
        if self.yes {
            return Ok(());
        }
        if !stdin().is_terminal() {
            return Err(Error::usage(format!(
                "{plan}: nobody can be asked here, so say --yes"
            )));
        }
        let plan = one_line(plan, usize::MAX);
        write!(stderr(), "{plan}. Go on? [y/N] ")?;
        stderr().flush()?;
        let mut answer = String::new();
        stdin().lock().read_line(&mut answer)?;
        match answer.trim() {
            "y" | "Y" | "yes" => Ok(()),
            _ => Err(Error::failed("nothing was done")),
        }
    }
}
