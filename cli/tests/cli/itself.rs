//! What the command says of itself.

use crate::harness::run;

#[test]
fn the_command_describes_itself() {
    let folder = tempfile::tempdir().unwrap();
    for (args, named) in [
        (&["completions", "bash"][..], "_sancho"),
        (&["completions", "zsh"], "#compdef sancho"),
        (&["man"], ".TH sancho"),
        (&["--help"], "Exit codes"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
    ] {
        let done = run(folder.path(), args);
        assert_eq!(done.code, Some(0), "{}", done.err);
        assert!(done.out.contains(named), "{args:?}: {}", done.out);
    }
}

/// Whoever reads may have seen enough.
#[test]
fn a_pipe_that_is_closed_is_no_mistake() {
    let store = crate::harness::Store::sqlite();
    store.enqueue(&["Report"]);
    for args in [
        &["completions", "bash"][..],
        &["man"],
        &["export"],
        &["stats"],
    ] {
        let (reads, writes) = std::io::pipe().unwrap();
        drop(reads);
        let done = std::process::Command::new(env!("CARGO_BIN_EXE_sancho"))
            .args(["--store", &store.url])
            .args(args)
            .stdout(writes)
            .output()
            .unwrap();
        assert_eq!(done.status.code(), Some(0), "{args:?}: {done:?}");
        assert!(done.stderr.is_empty(), "{args:?}: {done:?}");
    }
}
