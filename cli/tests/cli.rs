//! The built command, on a SQLite file and on a Redis.

#![cfg(test)]

use std::io::{Read, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use sancho_tests::RedisServer;
use serde_json::Value;

/// A store that commands are run on.
struct Store {
    url: String,
    folder: tempfile::TempDir,
    /// Ends with the store.
    _redis: Option<RedisServer>,
}

/// What a command has printed, and its exit code.
struct Done {
    out: String,
    err: String,
    code: Option<i32>,
}

impl Store {
    fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("jobs.db").display());
        Self {
            url,
            folder,
            _redis: None,
        }
    }

    fn redis() -> Self {
        let redis = RedisServer::start(&[]);
        Self {
            url: redis.url(),
            folder: tempfile::tempdir().unwrap(),
            _redis: Some(redis),
        }
    }

    fn run(&self, args: &[&str]) -> Done {
        let mut all = vec!["--store", &self.url];
        all.extend(args);
        run(self.folder.path(), &all)
    }

    /// Runs a command that must work, and reads its JSON.
    fn json(&self, args: &[&str]) -> Value {
        let mut all = vec!["--json"];
        all.extend(args);
        let done = self.run(&all);
        assert_eq!(done.code, Some(0), "{args:?}: {}", done.err);
        serde_json::from_str(&done.out)
            .unwrap_or_else(|error| panic!("{args:?}: {error}: {}", done.out))
    }

    fn does(&self, args: &[&str]) -> String {
        let done = self.run(args);
        assert_eq!(done.code, Some(0), "{args:?}: {}", done.err);
        done.out
    }

    fn fails(&self, code: i32, args: &[&str]) -> String {
        let done = self.run(args);
        assert_eq!(done.code, Some(code), "{args:?}: {} {}", done.out, done.err);
        done.err
    }

    fn enqueue(&self, args: &[&str]) -> String {
        let mut all = vec!["enqueue"];
        all.extend(args);
        self.json(&all)["jid"].as_str().unwrap().to_owned()
    }
}

fn run(folder: &Path, args: &[&str]) -> Done {
    let Output {
        stdout,
        stderr,
        status,
    } = Command::new(env!("CARGO_BIN_EXE_sancho"))
        .args(args)
        .current_dir(folder)
        .env_remove("SANCHO_STORE")
        .env_remove("REDIS_PROVIDER")
        .env_remove("REDIS_URL")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Done {
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
        code: status.code(),
    }
}

/// Runs a case on both stores.
macro_rules! on_both {
    ($($name:ident)*) => {
        mod sqlite {$(
            #[test]
            fn $name() {
                super::$name(&super::Store::sqlite());
            }
        )*}
        mod redis {$(
            #[test]
            fn $name() {
                super::$name(&super::Store::redis());
            }
        )*}
    };
}

on_both! {
    jobs_are_pushed_found_and_deleted
    timed_jobs_are_moved
    queues_are_paused_and_cleared
    what_was_exported_is_imported
    what_destroys_asks
    jobs_are_cancelled
    the_cron_is_kept
    mistakes_change_nothing
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

fn mistakes_change_nothing(store: &Store) {
    let jid = store.enqueue(&["Report"]);
    for (code, args, named) in [
        (2, &["enqueue", "Report", "hello"][..], "'\"hello\"'"),
        (1, &["enqueue", ""], "class is empty"),
        (1, &["enqueue", "A", "--queue", "a,b"], "','"),
        (
            1,
            &["enqueue", "A", "--after", "5300w"],
            "100 years from now",
        ),
        (
            1,
            &["enqueue", "A", "--at", "3026-11-24T12:00:00Z"],
            "100 years from now",
        ),
        (
            1,
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
    ] {
        let error = store.fails(code, args);
        assert!(error.contains(named), "{args:?}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    assert_eq!(store.json(&["stats"])["enqueued"], 1);
    let done = store.run(&["jobs", "show", "d3ab", "--json"]);
    assert!(serde_json::from_str::<Value>(&done.err).unwrap()["error"].is_string());
}

fn a_store_is_looked_at(store: &Store) {
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

#[test]
fn a_sqlite_file_is_moved_to_redis() {
    let (from, to) = (Store::sqlite(), Store::redis());
    let jid = from.enqueue(&["Report", "1"]);
    from.enqueue(&["Report", "2", "--after", "1h"]);
    from.does(&["pause", "low"]);
    let moving = ["move", "--from", &from.url, "--to", &to.url];
    let error = from.fails(2, &moving);
    assert!(
        error.contains("2 jobs leave") && error.contains("say --yes"),
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
    let error = from.fails(2, &["move", "--from", &from.url, "--to", "nowhere:", "-y"]);
    assert!(error.contains("--to"), "{error}");
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

#[test]
fn the_dashboard_is_served() {
    let store = Store::sqlite();
    store.enqueue(&["Report"]);
    for (args, named) in [
        (&["web", "--addr", "0.0.0.0:0"][..], "0.0.0.0"),
        (&["web", "--addr", "nowhere"], "nowhere"),
        (&["web", "--user", "ada"], "ada:secret"),
    ] {
        let error = store.fails(2, args);
        assert!(error.contains(named), "{args:?}: {error}");
    }
    let mut web = Command::new(env!("CARGO_BIN_EXE_sancho"))
        .args([
            "--store",
            &store.url,
            "--color",
            "never",
            "web",
            "--addr",
            "127.0.0.1:0",
            "--environment",
            "staging",
        ])
        .env("NO_COLOR", "1")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = web.stderr.take().unwrap();
    let mut line = String::new();
    let addr = loop {
        let mut part = [0; 512];
        let read = log.read(&mut part).unwrap();
        assert!(read > 0, "the dashboard ended: {line}");
        line.push_str(&String::from_utf8_lossy(&part[..read]));
        if let Some((_, rest)) = line.split_once("http://")
            && let Some((addr, _)) = rest.split_once('/')
        {
            break addr.to_owned();
        }
    };
    let mut page = String::new();
    let mut stream = std::net::TcpStream::connect(&addr).unwrap();
    write!(
        stream,
        "GET / HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    stream.read_to_string(&mut page).unwrap();
    web.kill().unwrap();
    web.wait().unwrap();
    assert!(
        page.starts_with("HTTP/1.1 200") && page.contains("staging"),
        "{page}"
    );
}

/// On a terminal of its own, which `script` makes.
#[test]
fn the_live_screen_shows_acts_and_ends() {
    let store = Store::sqlite();
    store.enqueue(&["Report", "--queue", "mailers"]);
    let command = format!(
        "stty rows 30 cols 110; {} --store {} top --every 1s",
        env!("CARGO_BIN_EXE_sancho"),
        store.url
    );
    let mut screen = Command::new("script")
        .args(["-qfec", &command, "/dev/null"])
        .current_dir(store.folder.path())
        .env("TERM", "xterm-256color")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut keys = screen.stdin.take().unwrap();
    let mut shown = screen.stdout.take().unwrap();
    until(&mut shown, "noprocesstakesfromit");
    keys.write_all(b"py").unwrap();
    let paused = || store.json(&["queues"])[0]["paused"] == true;
    assert!((0..PATIENCE).any(|_| paused()), "the queue was not paused");
    keys.write_all(b"q").unwrap();
    drop(keys);
    let mut rest = Vec::new();
    shown.read_to_end(&mut rest).unwrap();
    assert!(screen.wait().unwrap().success());
    let error = store.fails(2, &["top"]);
    assert!(error.contains("needs a terminal"), "{error}");
}

/// How many times a change is looked for, each of which starts a process: far more than it takes.
const PATIENCE: usize = 1_000;

/// Reads on until this is shown, blanks aside.
fn until(screen: &mut impl Read, what: &str) {
    let (mut text, mut part) = (String::new(), [0; 4_096]);
    while !without_escapes(&text).replace(' ', "").contains(what) {
        let read = screen.read(&mut part).unwrap();
        assert!(
            read > 0,
            "the screen ended before it showed {what:?}: {text}"
        );
        text.push_str(&String::from_utf8_lossy(&part[..read]));
    }
}

/// The text between the commands to the terminal.
fn without_escapes(text: &str) -> String {
    let mut plain = String::new();
    let mut parts = text.split('\u{1b}');
    plain.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let end = part
            .find(|c: char| c.is_ascii_alphabetic())
            .map_or(part.len(), |end| end + 1);
        plain.push_str(&part[end..]);
    }
    plain
}
