//! The cron.

use crate::harness::{Store, on_both};

on_both! {
    the_cron_is_kept
}

fn the_cron_is_kept(store: &Store) {
    store.does(&[
        "cron",
        "add",
        "hourly_sync",
        "@hourly",
        "DataSync",
        "\"full\"",
        "--tz",
        "Europe/Berlin",
        "--queue",
        "low",
    ]);
    let shown = store.json(&["cron", "show", "hourly_sync"]);
    assert_eq!(
        (&shown["class"], &shown["tz"], &shown["enabled"]),
        (&"DataSync".into(), &"Europe/Berlin".into(), &true.into())
    );
    assert_eq!(shown["next"].as_array().unwrap().len(), 5);
    assert!(store.does(&["cron", "list"]).contains("hourly_sync"));
    store.does(&["cron", "disable", "hourly_sync"]);
    assert!(store.does(&["cron", "list"]).contains("disabled"));
    store.does(&["cron", "enable", "hourly_sync"]);
    let jid = store.json(&["cron", "run", "hourly_sync"])["jid"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        store.json(&["jobs", "list", "queue:low"])[0]["args"].to_string(),
        r#"["full"]"#
    );
    assert_eq!(
        store.json(&["cron", "show", "hourly_sync"])["history"][0]["jid"],
        *jid
    );

    let error = store.fails(2, &["cron", "add", "hourly_sync", "@daily", "DataSync"]);
    assert!(error.contains("there is a cron entry"), "{error}");
    let error = store.fails(2, &["cron", "add", "other", "61 * * * *", "DataSync"]);
    assert!(error.contains("61"), "{error}");
    let error = store.fails(
        2,
        &[
            "cron",
            "add",
            "other",
            "@daily",
            "DataSync",
            "--tz",
            "Mars/Olympus",
        ],
    );
    assert!(error.contains("Mars/Olympus"), "{error}");
    store.fails(2, &["cron", "remove", "hourly_sync"]);
    store.does(&["cron", "remove", "hourly_sync", "-y"]);
    store.fails(1, &["cron", "show", "hourly_sync"]);

    let file = store.folder.path().join("schedule.yml");
    std::fs::write(
        &file,
        "daily_cleanup:\n  cron: '0 3 * * *'\n  class: 'DailyCleanupJob'\n  queue: low\n",
    )
    .unwrap();
    store.does(&["cron", "load", "schedule.yml"]);
    assert_eq!(store.json(&["cron", "list"])[0]["name"], "daily_cleanup");
    std::fs::write(
        &file,
        "daily_cleanup:\n  cron: 'never'\n  class: 'DailyCleanupJob'\n",
    )
    .unwrap();
    let error = store.fails(2, &["cron", "load", "schedule.yml"]);
    assert!(
        error.contains("daily_cleanup") && error.contains("cron"),
        "{error}"
    );
    assert_eq!(
        store.json(&["cron", "show", "daily_cleanup"])["cron"],
        "0 3 * * *"
    );
}
