//! What describes the command itself.

use std::io::{Write as _, stdout};

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::args::Args;
use crate::error::Result;
use crate::output::unless_closed;

pub(crate) fn completions(shell: Shell) -> Result<()> {
    // It panics where it cannot write.
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "sancho", &mut text);
    unless_closed(stdout().write_all(&text))
}

pub(crate) fn man() -> Result<()> {
    unless_closed(clap_mangen::Man::new(Args::command()).render(&mut stdout()))
}
