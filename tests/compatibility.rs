//! The table of compatibility in the README: every row has a test behind it.

#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The rows of the table, each as its cells.
fn rows() -> Vec<Vec<String>> {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, after) = readme
        .split_once("| what | 6 | 7 | 8 | shown by |")
        .unwrap();
    let table = after
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let cells = |line: &str| {
        let line = line.trim_matches('|').replace("\\|", "");
        line.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    table.map(cells).collect()
}

/// The names of all functions in the tests and the library.
fn functions() -> String {
    let mut names = String::new();
    let mut folders = vec![root().join("tests"), root().join("runtime/src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                for name in text.split("fn ").skip(1) {
                    names.push_str(name.split(['(', '<']).next().unwrap());
                    names.push('\n');
                }
            }
        }
    }
    names
}

#[test]
fn every_row_names_tests_that_are_there() {
    let (rows, functions) = (rows(), functions());
    assert!(rows.len() >= 25, "only {} rows were found", rows.len());
    for row in rows {
        let [what, .., shown_by] = &row[..] else {
            panic!("{row:?} is no row");
        };
        let tests: Vec<_> = shown_by.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "nothing shows that {what}");
        for test in tests {
            let is_there = functions.lines().any(|name| name == test);
            assert!(is_there, "{what}: there is no test {test}");
        }
    }
}

#[test]
fn what_a_running_ruby_shows_is_shown_by_a_test_beside_ruby() {
    let mut interop = String::new();
    for entry in fs::read_dir(root().join("tests/interop")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            interop += &fs::read_to_string(path).unwrap();
        }
    }
    for row in rows() {
        let beside_ruby = row.last().unwrap().split('`').skip(1).step_by(2);
        if row[1] == "R" {
            let shown = beside_ruby.filter(|test| interop.contains(&format!("fn {test}(")));
            assert!(shown.count() > 0, "no running Ruby shows that {}", row[0]);
        }
    }
}
