//! The examples run, end by themselves and say what happened.

#![cfg(test)]

use std::path::PathBuf;
use std::process::{Command, Output};

/// Builds an example and runs it, with a store of its own.
fn run(name: &str) -> String {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "sancho-examples"])
        .args(["--example", name])
        .output()
        .unwrap();
    succeeded(name, &built);
    let output = Command::new(built_examples().join(name))
        .env_remove("REDIS_URL")
        .env("SANCHO_STORE", "memory:")
        .output()
        .unwrap();
    succeeded(name, &output)
}

/// The folder where the build puts examples: beside that of this test.
fn built_examples() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().parent().unwrap().join("examples")
}

fn succeeded(name: &str, output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}:\n{said}\n{wrong}");
    said
}

#[test]
fn long_jobs_have_their_limits() {
    let said = run("long_running");
    for line in [
        "data 1 is being processed",
        "data 2 hangs",
        "data 3 stops: Some(Timeout)",
        "ImpatientJob: the job ran longer than its timeout of 1s",
        "BlockingJob: the job ran longer than its timeout of 1s",
        "data 1 is left off: Some(User)",
    ] {
        assert!(said.lines().any(|said| said == line), "{line} in\n{said}");
    }
    assert!(said.ends_with("all have ended\n"), "{said}");
}
