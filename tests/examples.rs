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
fn a_long_import_survives_a_deploy() {
    let said = run("long_import");
    let lines: Vec<_> = said.lines().collect();
    let [deploy, resumed, imported] = lines[..] else {
        panic!("{said}");
    };
    assert_eq!(deploy, "a deploy");
    assert!(resumed.starts_with("going on after 1"), "{said}");
    assert_eq!(imported, "300 rows are imported");
}

#[test]
fn a_graceful_batch_processes_each_record_once() {
    let said = run("graceful_batch");
    assert!(said.starts_with("stopping after record "), "{said}");
    assert!(
        said.ends_with("200 records are processed, each once\n"),
        "{said}"
    );
}
