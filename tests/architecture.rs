//! The rules of ARCHITECTURE.md that the compiler does not know: which way imports point, and who may name a database.

#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime/src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(&root).unwrap().to_owned(), text));
            }
        }
    }
    assert!(found.len() > 40, "only {} files found", found.len());
    found
}

/// The code without its docs and comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
}

#[test]
fn only_stores_name_a_database_client() {
    for (path, text) in sources() {
        if !path.starts_with("store") {
            for line in code(&text) {
                assert!(
                    !line.contains("fred::") && !line.contains("rusqlite::"),
                    "{}: {line}",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn imports_point_down() {
    // A module may name those after it in this list, and itself.
    let ranks = [
        ("serve", 0),
        ("testing", 0),
        ("middleware", 1),
        ("api", 1),
        ("client", 2),
        ("engine", 2),
        ("layers", 2),
        ("store", 3),
        ("job", 4),
    ];
    for (path, text) in sources() {
        let Some(&(module, rank)) = ranks.iter().find(|(module, _)| path.starts_with(module))
        else {
            continue;
        };
        for (other, other_rank) in ranks {
            let up = other_rank < rank && other != module;
            for line in code(&text).filter(|_| up) {
                assert!(
                    !line.contains(&format!("crate::{other}")),
                    "{} names crate::{other}: {line}",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn only_connect_and_testing_choose_a_store() {
    for (path, text) in sources() {
        let chooses = ["client/connect.rs", "store"]
            .iter()
            .any(|allowed| path.starts_with(allowed))
            || path.starts_with("testing");
        for line in code(&text).filter(|_| !chooses) {
            for store in ["store::redis", "store::sqlite", "store::memory"] {
                assert!(
                    !line.contains(store),
                    "{} chooses a store: {line}",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn each_dependency_has_a_reason() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |name: &str| fs::read_to_string(root.join(name)).unwrap();
    let (manifest, architecture) = (read("Cargo.toml"), read("ARCHITECTURE.md"));
    let (_, rest) = manifest.split_once("[workspace.dependencies]\n").unwrap();
    let (dependencies, _) = rest.split_once("\n[").unwrap();
    let named: BTreeSet<&str> = dependencies
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name)
        .filter(|name| !name.starts_with("sancho"))
        .collect();

    let (_, table) = architecture.split_once("| crate | where | why |").unwrap();
    let explained: BTreeSet<&str> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next())
        .flat_map(|crates| crates.split('`').skip(1).step_by(2))
        .collect();
    assert!(named.len() > 30, "only {named:?}");
    assert_eq!(named, explained);
}
