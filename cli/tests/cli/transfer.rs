//! Export and import.

use crate::harness::{Store, on_both};

on_both! {
    what_was_exported_is_imported
}

fn what_was_exported_is_imported(store: &Store) {
    let queued: Vec<_> = ["1", "2", "3"]
        .iter()
        .map(|number| store.enqueue(&["Report", number]))
        .collect();
    let timed = store.enqueue(&["Report", "4", "--at", "2030-01-01T00:00:00Z"]);
    let before = store.json(&["jobs", "search", "class:report"]);
    store.does(&["export", "-o", "jobs.ndjson"]);
    store.does(&["clear", "queue:default", "-y"]);
    store.does(&["clear", "scheduled", "-y"]);
    assert_eq!(store.does(&["import", "jobs.ndjson"]), "4 jobs imported\n");
    assert_eq!(store.json(&["jobs", "search", "class:report"]), before);
    let listed = store.json(&["jobs", "list", "queue:default"]);
    assert_eq!(listed[0]["jid"], *queued[0]);
    assert_eq!(listed[2]["jid"], *queued[2]);
    assert_eq!(
        store.json(&["jobs", "show", &timed])["at"],
        "2030-01-01T00:00:00Z"
    );

    let error = store.fails(2, &["export", "-o", "jobs.ndjson"]);
    assert!(error.contains("jobs.ndjson"), "{error}");
    let file = store.folder.path().join("jobs.ndjson");
    let mut text = std::fs::read_to_string(&file).unwrap();
    text.push_str("{\"place\":\"asleep\"}\n");
    std::fs::write(&file, text).unwrap();
    let error = store.fails(2, &["import", "jobs.ndjson"]);
    assert!(
        error.contains("line 5") && error.contains("asleep"),
        "{error}"
    );
    assert_eq!(store.json(&["stats"])["enqueued"], 3);
}
