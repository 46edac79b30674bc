//! Ways in for the fuzzer, to what reads the settings of a worker. Not an interface.

use std::path::Path;

use super::args::Args;
use super::config;

/// Reads the text of a config file of this name, in this environment: what is warned of, or what is wrong.
///
/// # Errors
/// What is wrong.
pub fn config_file(name: &str, environment: &str, text: &str) -> Result<Vec<String>, String> {
    let mut warnings = Vec::new();
    config::read_text(Path::new(name), text, environment, &mut warnings)
        .map(|_| warnings)
        .map_err(|error| error.to_string())
}

/// Reads the arguments of a worker, the program's name left away.
///
/// # Errors
/// What is wrong, in one line.
pub fn arguments<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<(), String> {
    Args::of(words).map(drop)
}
