//! What is wrong is answered in one line, and changes nothing.

use serde_json::Value;

use crate::harness::{Store, on_both, run};

on_both! {
    mistakes_change_nothing
}

fn mistakes_change_nothing(store: &Store) {
    let jid = store.enqueue(&["Report"]);
    for (code, args, named) in [
        (2, &["enqueue", "Report", "hello"][..], "'\"hello\"'"),
        (2, &["enqueue", ""], "class is empty"),
        (2, &["enqueue", "A", "--queue", "a,b"], "','"),
        (
            2,
            &["enqueue", "A", "--after", "5300w"],
            "100 years from now",
        ),
        (
            2,
            &["enqueue", "A", "--at", "3026-11-24T12:00:00Z"],
            "100 years from now",
        ),
        (
            2,
            &[
                "enqueue",
                "A",
                "--at",
                "9999-12-31T23:59:59.9999Z",
                "--queue",
                "",
            ],
            "queue",
        ),
        (
            1,
            &["delete", "d3ab", &jid],
            "not found anywhere, so nothing was done: d3ab",
        ),
        (1, &["jobs", "show", "d3ab"], "d3ab"),
        (
            2,
            &["jobs", "search", "klass:A"],
            "`klass:` is no qualifier",
        ),
        (2, &["pause", ""], "empty"),
        (1, &["quiet", "nobody"], "no process is called nobody"),
        (1, &["stop", "--all", "-y"], "no process"),
        (2, &["import", "missing.ndjson"], "missing.ndjson"),
        (2, &["import", "."], "., line 1: "),
        (2, &["bogus"], "'bogus'"),
        (2, &["jobs", "list"], "<PLACE>"),
        (2, &["jobs", "list", "asleep"], "queue:NAME"),
        (2, &["stats", "--days", "0"], "1..=1825"),
        (2, &["top", "--every", "0s"], "1s to 1h"),
        (2, &["completions", "tcsh"], "bash"),
        (2, &["redis://:secret@h"], "'redis://***@h'"),
        (2, &["web", "--user", "secret"], "ada:secret"),
    ] {
        let error = store.fails(code, args);
        assert!(error.contains(named), "{args:?}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        let shown = error.replace("ada:secret", "");
        assert!(!shown.contains("secret"), "{error}");
    }
    assert_eq!(store.json(&["stats"])["enqueued"], 1);
    let done = store.run(&["jobs", "show", "d3ab", "--json"]);
    assert!(serde_json::from_str::<Value>(&done.err).unwrap()["error"].is_string());
}

#[test]
fn a_store_that_is_none_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for (url, named) in [
        ("postgres://x", "redis://"),
        ("redis://127.0.0.1:1/0", "127.0.0.1:1"),
    ] {
        let done = run(folder.path(), &["--store", url, "stats"]);
        assert_eq!(done.code, Some(2), "{}", done.err);
        assert!(done.err.contains(named), "{}", done.err);
    }
}

#[test]
fn a_sqlite_file_that_is_not_there_is_made_by_what_puts_something_in() {
    let store = Store::sqlite();
    for args in [
        &["stats"][..],
        &["queues"],
        &["doctor"],
        &["export"],
        &["cron", "list"],
    ] {
        let error = store.fails(2, args);
        assert!(error.contains("there is no such file"), "{args:?}: {error}");
    }
    let error = store.fails(2, &["move", "--from", &store.url, "--to", "memory:", "-y"]);
    assert!(error.contains("there is no such file"), "{error}");
    assert_eq!(store.folder.path().read_dir().unwrap().count(), 0);
    store.enqueue(&["Report"]);
    assert_eq!(store.json(&["stats"])["enqueued"], 1);
    let done = run(store.folder.path(), &["--store", "memory:", "stats"]);
    assert_eq!(done.code, Some(2));
    assert!(done.err.contains("of one process alone"), "{}", done.err);
}

#[test]
fn an_import_with_a_mistake_in_its_last_line_changes_nothing() {
    let store = Store::sqlite();
    store.enqueue(&["Report"]);
    let job = r#"{"class":"A","args":[],"jid":"a1"}"#;
    let line = |place: &str| serde_json::json!({ "place": place, "payload": job }).to_string();
    let good = line("queue:a");
    for (last, named) in [
        (line("queue:").into_bytes(), "line 2: "),
        (b"\xff\xfe".to_vec(), "line 2: "),
        (
            b"{\"place\":\"dead\",\"at_us\":1,\"payload_hex\":\"+f\"}".to_vec(),
            "no hex",
        ),
        (vec![b'['; 100_000], "line 2: "),
    ] {
        let mut text = good.clone().into_bytes();
        text.push(b'\n');
        text.extend(last);
        std::fs::write(store.folder.path().join("x.ndjson"), text).unwrap();
        let error = store.fails(2, &["import", "x.ndjson"]);
        assert!(
            error.contains(named) && error.contains("nothing was imported"),
            "{error}"
        );
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    assert_eq!(store.json(&["stats"])["enqueued"], 1);
}
