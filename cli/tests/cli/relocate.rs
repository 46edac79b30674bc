//! Moving to another store.

use crate::harness::Store;

#[test]
fn a_sqlite_file_is_moved_to_redis() {
    let (from, to) = (Store::sqlite(), Store::redis());
    let jid = from.enqueue(&["Report", "1"]);
    from.enqueue(&["Report", "2", "--after", "1h"]);
    from.does(&["pause", "low"]);
    let moving = ["move", "--from", &from.url, "--to", &to.url];
    let error = from.fails(2, &moving);
    assert!(
        error.contains("2 jobs leave")
            && error.contains("metrics by class and the marks of deploys stay")
            && error.contains("say --yes"),
        "{error}"
    );
    let mut certain = moving.to_vec();
    certain.push("--yes");
    assert_eq!(from.does(&certain), "2 jobs moved\n");
    assert_eq!(to.json(&["jobs", "list", "queue:default"])[0]["jid"], *jid);
    assert_eq!(to.json(&["stats"])["scheduled"], 1);
    assert_eq!(from.json(&["stats"])["enqueued"], 0);
    assert_eq!(from.does(&certain), "0 jobs moved\n");
    let error = from.fails(2, &["move", "--from", &from.url, "--to", &from.url, "-y"]);
    assert!(error.contains("the same store"), "{error}");
    let secret = "redis://:secret@h/0";
    let error = from.fails(2, &["move", "--from", secret, "--to", secret, "-y"]);
    assert!(
        error.contains("redis://***@h/0") && !error.contains("secret"),
        "{error}"
    );
    let error = from.fails(2, &["move", "--from", &from.url, "--to", "nowhere:", "-y"]);
    assert!(error.contains("--to"), "{error}");
}
