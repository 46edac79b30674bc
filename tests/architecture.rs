//! The rules of ARCHITECTURE.md that the compiler does not know: which way imports point, and who may name a database.

#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Those of the library.
fn sources() -> Vec<(PathBuf, String)> {
    let found = sources_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime/src"));
    assert!(found.len() > 40, "only {} files found", found.len());
    found
}

fn sources_of(root: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root).unwrap().to_owned(), text));
            }
        }
    }
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

/// A file that code includes from elsewhere is not in the package of its crate.
#[test]
fn what_is_published_includes_nothing_from_elsewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut included = 0;
    for name in ["macros", "runtime", "web", "cli"] {
        let folder = root.join(name);
        for (path, text) in sources_of(&folder) {
            for part in text.split("include_str!(\"").skip(1) {
                let (file, _) = part.split_once('"').unwrap();
                let mut place = path.parent().unwrap().to_owned();
                for step in Path::new(file).components() {
                    match step {
                        std::path::Component::ParentDir => assert!(
                            place.pop(),
                            "{name}/{} includes {file}, which its package has not",
                            path.display()
                        ),
                        step => place.push(step),
                    }
                }
                assert!(folder.join(&place).is_file(), "{name}: {}", place.display());
                included += 1;
            }
        }
    }
    assert!(included > 20, "only {included} files found");
}
