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

/// The seconds of `... in 17 s...` in the line that begins so.
fn seconds(said: &str, line: &str) -> u64 {
    let line = said
        .lines()
        .find(|said| said.starts_with(line))
        .unwrap_or_else(|| panic!("no line {line:?} in\n{said}"));
    let (_, rest) = line.split_once(" in ").unwrap();
    rest.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn payments_wait_by_their_errors() {
    let said = run("payments");
    assert!(said.contains("order 1 is paid\n"), "{said}");
    for error in [
        "the gateway wants fewer requests: tried again",
        "the gateway does not answer: tried again",
        "the payment failed: the card has expired: tried again",
    ] {
        assert!(seconds(&said, error) <= 25, "{said}");
    }
}

#[test]
fn an_important_sync_tells_the_team() {
    let said = run("important_sync");
    let told = "the team was told: Ok(\"Job ImportantSync with args [42] failed permanently: resource 42 cannot be read\")\n";
    assert_eq!(said, told);
}

#[test]
fn notifications_are_tried_again_or_discarded() {
    let said = run("notification");
    assert!(said.contains("to user 1: Your order shipped!\n"), "{said}");
    assert!(said.contains("discarded: there is no user 3\n"), "{said}");
    assert!(
        said.contains(" s, after {\"NotifyError::OpenTimeout\":1}\n"),
        "{said}"
    );
    assert!(seconds(&said, "tried again") <= 15, "{said}");
    assert!(
        (500..=600).contains(&seconds(&said, "a reminder")),
        "{said}"
    );
}
