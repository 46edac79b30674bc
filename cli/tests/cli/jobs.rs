//! Jobs and queues, looked at and acted on.

use serde_json::Value;

use crate::harness::{Store, on_both};

on_both! {
    jobs_are_pushed_found_and_deleted
    timed_jobs_are_moved
    queues_are_paused_and_cleared
    what_destroys_asks
    jobs_are_cancelled
    a_store_is_looked_at
}

fn jobs_are_pushed_found_and_deleted(store: &Store) {
    let jid = store.enqueue(&[
        "WelcomeEmail",
        "42",
        "\"Ana\"",
        "--queue",
        "mailers",
        "--tag",
        "vip",
        "--retry",
        "3",
    ]);
    let other = store.enqueue(&["CleanUp"]);
    let jobs = store.json(&["jobs", "list", "queue:mailers"]);
    assert_eq!(jobs[0]["jid"], *jid);
    assert_eq!(jobs[0]["args"].to_string(), r#"[42,"Ana"]"#);
    assert_eq!(store.json(&["jobs", "show", &jid])["tags"][0], "vip");
    assert_eq!(
        store.json(&["jobs", "search", "class:welcome", "args:ana"])[0]["place"],
        "queue:mailers"
    );
    assert_eq!(
        store.json(&["jobs", "search", "--", "-class:welcome"])[0]["jid"],
        *other
    );

    let table = store.does(&["jobs", "list", "queue:mailers"]);
    assert!(
        table.starts_with("JID") && table.contains("42, \"Ana\""),
        "{table}"
    );
    let shown = store.does(&["jobs", "show", &jid]);
    assert!(
        shown.contains("WelcomeEmail") && shown.contains("queue:mailers"),
        "{shown}"
    );

    assert_eq!(store.does(&["delete", &jid]), "1 deleted\n");
    store.fails(1, &["jobs", "show", &jid]);
    assert_eq!(store.json(&["stats"])["enqueued"], 1);
}

fn timed_jobs_are_moved(store: &Store) {
    let first = store.enqueue(&["Report", "1", "--after", "1h"]);
    let second = store.enqueue(&["Report", "2", "--at", "2030-01-01T00:00:00Z"]);
    let listed = store.json(&["jobs", "list", "scheduled"]);
    assert_eq!(
        (&listed[0]["jid"], &listed[1]["jid"]),
        (&Value::from(&*first), &Value::from(&*second))
    );
    assert_eq!(listed[1]["at"], "2030-01-01T00:00:00Z");

    store.does(&["reschedule", &second, "--at", "2029-01-01T00:00:00Z"]);
    assert_eq!(
        store.json(&["jobs", "show", &second])["at"],
        "2029-01-01T00:00:00Z"
    );
    assert_eq!(store.does(&["kill", &second]), "1 killed\n");
    assert_eq!(store.json(&["jobs", "show", &second])["place"], "dead");
    assert_eq!(store.does(&["retry", &first, &second]), "2 retried\n");
    assert_eq!(
        store.json(&["jobs", "show", &second])["place"],
        "queue:default"
    );
    assert_eq!(store.json(&["stats"])["enqueued"], 2);
    let error = store.fails(2, &["retry", &first]);
    assert!(error.contains("so it runs anyway"), "{error}");
}

fn queues_are_paused_and_cleared(store: &Store) {
    for number in ["1", "2", "3"] {
        store.enqueue(&["Report", number, "--queue", "low"]);
    }
    store.does(&["pause", "low"]);
    let queue = &store.json(&["queues"])[0];
    assert_eq!(
        (&queue["name"], &queue["size"], &queue["paused"]),
        (&"low".into(), &3.into(), &true.into())
    );
    assert!(store.does(&["queues"]).contains("paused"));
    store.does(&["resume", "low"]);
    assert_eq!(store.json(&["queues"])[0]["paused"], false);
    assert!(store.does(&["queues"]).contains("no process takes from it"));
    assert_eq!(store.json(&["clear", "queue:low", "--yes"])["deleted"], 3);
    assert_eq!(store.json(&["stats"])["enqueued"], 0);
}

fn what_destroys_asks(store: &Store) {
    let jid = store.enqueue(&["Report", "--after", "1h"]);
    for args in [
        &["clear", "scheduled"][..],
        &["delete", "--all", "--in", "scheduled"],
        &["delete", "--matching", "class:report"],
        &["kill", "--all", "--in", "scheduled"],
    ] {
        let error = store.fails(2, args);
        assert!(error.contains("say --yes"), "{error}");
        assert_eq!(store.json(&["jobs", "show", &jid])["place"], "scheduled");
    }
    assert_eq!(
        store.does(&["kill", "--matching", "class:report", "-y"]),
        "1 killed\n"
    );
    assert_eq!(
        store.json(&["retry", "--all", "--in", "dead", "-y"])["done"],
        1
    );
    assert_eq!(store.json(&["stats"])["enqueued"], 1);
}

fn jobs_are_cancelled(store: &Store) {
    let jid = store.enqueue(&["Report", "--after", "1h"]);
    assert_eq!(store.json(&["cancel", &jid])[0]["cancelled"], "removed");
    assert_eq!(store.json(&["stats"])["scheduled"], 0);
    let error = store.fails(1, &["cancel", &jid]);
    assert!(error.contains(&jid), "{error}");
}

fn a_store_is_looked_at(store: &Store) {
    let jid = store.enqueue(&["Report"]);
    store.does(&["delete", &jid]);
    assert_eq!(store.json(&["processes"]), Value::Array(Vec::new()));
    assert!(store.does(&["busy"]).contains("nothing runs"));
    assert!(store.does(&["stats", "--days", "7"]).contains("PROCESSED"));
    assert_eq!(
        store.json(&["stats", "--days", "7"])["days"]
            .as_array()
            .unwrap()
            .len(),
        7
    );
    assert!(store.does(&["doctor"]).contains("payloads were looked at"));
    assert_eq!(
        store.json(&["doctor"])["violations"],
        Value::Array(Vec::new())
    );
}
