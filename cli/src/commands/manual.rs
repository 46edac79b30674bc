//! What describes the command itself.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::args::Args;
use crate::error::Result;

pub(crate) fn completions(shell: Shell) -> Result<()> {
    clap_complete::generate(
        shell,
        &mut Args::command(),
        "sancho",
        &mut std::io::stdout(),
    );
    Ok(())
}

pub(crate) fn man() -> Result<()> {
    clap_mangen::Man::new(Args::command()).render(&mut std::io::stdout())?;
    Ok(())
}
