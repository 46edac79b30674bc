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
fn a_daily_clean_up_keeps_what_is_new() {
    let said = run("cron_cleanup");
    assert!(said.contains("\ndeleted old.log\n"), "{said}");
    assert!(said.ends_with("left: 1\n"), "{said}");
}

#[test]
fn a_schedule_file_gives_arguments() {
    let said = run("hourly_sync");
    assert!(said.matches("syncing changes\n").count() >= 2, "{said}");
    assert!(said.contains("syncing full\n"), "{said}");
    for entry in ["hourly_sync made ", "sync_of_changes made "] {
        assert!(said.contains(entry), "{said}");
    }
}

#[test]
fn reports_wait_for_their_time() {
    let said = run("scheduled_report");
    for part in [
        "report 1 is due at ",
        "report 2 is due at ",
        "report 1 is written\n",
        "report 2 is written\n",
    ] {
        assert!(said.contains(part), "{said}");
    }
}
