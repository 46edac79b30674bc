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

fn count(told: &str, line: &str) -> usize {
    told.lines().filter(|told| told.starts_with(line)).count()
}

#[test]
fn order_fulfillment() {
    let told = run("order_fulfillment");
    for order in 1..=3 {
        assert_eq!(
            count(&told, &format!("order {order} is fulfilled")),
            1,
            "{told}"
        );
        assert_eq!(
            count(&told, &format!("order {order} was fulfilled already")),
            2,
            "{told}"
        );
    }
    assert!(told.ends_with("9 runs, 3 shipments\n"), "{told}");
}

#[test]
fn queue_monitor() {
    let told = run("queue_monitor");
    let expected = [
        "queue \"critical\" has 150 jobs (threshold: 100)",
        "queue \"mailers\" has 1001 jobs (threshold: 1000)",
        "all queues were looked at",
    ];
    assert_eq!(told.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_user_is_welcomed() {
    let said = run("welcome_email");
    assert_eq!(said, "to user 42: welcome, Ana\n");
}
