//! What can happen to a SQLite file. Each is an error that says so, or a wait; nothing is half done, and nothing is lost.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use rusqlite::Connection;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use sancho::PushError;
use serde_json::json;

use crate::ledger::What;
use crate::report::row;
use crate::site::{Process, Site, job};

/// How many jobs are in the worker's hands meanwhile.
const RUNNING: u64 = 4;

async fn running(site: &Site, under: &[&str]) -> Process {
    let gate = site.path("gate");
    site.push((0..RUNNING).map(|n| job("Waits", json!([n, gate]))))
        .await;
    let worker = site.worker().under(under).start();
    let count = usize::try_from(RUNNING).unwrap();
    site.until_reported(count, |what| matches!(what, What::Start(..)))
        .await;
    worker
}

fn open_gate(site: &Site) {
    fs::write(site.path("gate"), "").unwrap();
}

/// All of these ran, once, and no other.
async fn ran(site: &Site, name: &str, numbers: BTreeSet<u64>) {
    let stats = site.until_idle().await;
    let ledger = site.ledger();
    assert_eq!(ledger.ended(), numbers);
    assert!(
        ledger.starts().values().all(|by| by.len() == 1),
        "some ran again"
    );
    let count = numbers.len() as u64;
    assert_eq!((stats.processed, stats.failed, stats.dead), (count, 0, 0));
    site.check_integrity().await;
    row(&["SQLite".into(), name.into(), count.to_string()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_is_held_for_seconds_is_waited_for() {
    let site = Site::on_sqlite().await;
    let worker = running(&site, &[]).await;
    let other = Connection::open(site.file().unwrap()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    open_gate(&site);
    let push = site.client.push_job(job("Fast", [10])).await;
    assert!(
        matches!(
            push,
            Err(PushError::Unavailable { .. } | PushError::Unknown { .. })
        ),
        "{push:?}"
    );
    worker.until_logged("the store is away").await;
    other.execute_batch("ROLLBACK").unwrap();
    worker.until_logged("the store is back").await;
    site.push([job("Fast", [11])]).await;
    let mut numbers: BTreeSet<_> = (0..RUNNING).chain([11]).collect();
    // A push that was not answered may come true.
    site.until_idle().await;
    if matches!(push, Err(PushError::Unknown { .. })) && site.ledger().ended().contains(&10) {
        numbers.insert(10);
    }
    ran(&site, "lock held for seconds", numbers).await;
    worker.stop().await;
}

/// Writes fail from an offset on, as they do on a disk that is full, until there is room again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_that_fail_lose_nothing_once_there_is_room() {
    let site = Site::on_sqlite().await;
    let worker = running(&site, &["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"]).await;
    let limit = |bytes: Option<u64>| {
        let pid = Pid::from_raw(i32::try_from(worker.pid).unwrap());
        let limit = Rlimit {
            current: bytes,
            maximum: None,
        };
        prlimit(pid, Resource::Fsize, limit).unwrap();
    };
    limit(Some(16 << 10));
    open_gate(&site);
    worker.until_logged("the store is away").await;
    // Others have room.
    site.push([job("Fast", [10])]).await;
    site.check_integrity().await;
    limit(None);
    ran(&site, "disk full", (0..RUNNING).chain([10]).collect()).await;
    worker.stop().await;
}

/// Nothing is acknowledged that nobody would find. Put back, it is worked on as before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_was_deleted_takes_nothing_any_more() {
    let site = Site::on_sqlite().await;
    let worker = running(&site, &[]).await;
    let (file, away) = (site.file().unwrap(), site.path("away.db"));
    fs::rename(file, &away).unwrap();
    open_gate(&site);
    let push = site.client.push_job(job("Fast", [10])).await;
    assert!(
        matches!(push, Err(PushError::Unavailable { .. })),
        "{push:?}"
    );
    worker
        .until_logged("the file was deleted or replaced")
        .await;
    fs::rename(&away, file).unwrap();
    site.push([job("Fast", [11])]).await;
    ran(
        &site,
        "deleted and put back",
        (0..RUNNING).chain([11]).collect(),
    )
    .await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_cannot_be_used_is_an_error_that_says_so() {
    for (name, damage, expected) in [
        ("corrupt", corrupt as fn(&Path), "malformed"),
        ("no database", no_database, "not a SQLite database"),
        (
            "of another version",
            another_version,
            "tables are of version 99",
        ),
    ] {
        let site = Site::on_sqlite().await;
        site.push((0..200).map(|n| job("Fast", [n]))).await;
        let copy = site.path("copy.db");
        let file = Connection::open(site.file().unwrap()).unwrap();
        file.execute("VACUUM INTO ?1", [copy.to_str().unwrap()])
            .unwrap();
        damage(&copy);
        let mut worker = site
            .worker()
            .store(format!("sqlite:{}", copy.display()))
            .start();
        worker.until_logged(expected).await;
        if worker
            .ends_within(std::time::Duration::ZERO)
            .await
            .is_none()
        {
            worker.kill().await;
        }
        assert_eq!(site.ledger().ended().len(), 0, "{name}");
        row(&["SQLite".into(), name.into(), expected.into()]);
    }
}

/// All pages but the first, which says whose file it is.
fn corrupt(file: &Path) {
    let length = usize::try_from(fs::metadata(file).unwrap().len()).unwrap();
    let mut file = fs::OpenOptions::new().write(true).open(file).unwrap();
    file.seek(SeekFrom::Start(4_096)).unwrap();
    file.write_all(&vec![0xA5; length - 4_096]).unwrap();
}

fn no_database(file: &Path) {
    fs::write(file, "no database, and longer than the header of one would be: 100 bytes and some more that nobody reads").unwrap();
}

fn another_version(file: &Path) {
    let file = Connection::open(file).unwrap();
    file.pragma_update(None, "user_version", 99).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_read_only_is_an_error_that_says_so() {
    let site = Site::on_sqlite().await;
    let copy = site.path("copy.db");
    let file = Connection::open(site.file().unwrap()).unwrap();
    file.execute("VACUUM INTO ?1", [copy.to_str().unwrap()])
        .unwrap();
    let mut permissions = fs::metadata(&copy).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&copy, permissions).unwrap();
    // Root may write all the same, unless it gives that up.
    let as_root = rustix::process::geteuid().is_root();
    let under: &[&str] = if as_root {
        &[
            "setpriv",
            "--bounding-set",
            "-dac_override",
            "--inh-caps",
            "-dac_override",
        ]
    } else {
        &[]
    };
    let mut worker = site
        .worker()
        .store(format!("sqlite:{}", copy.display()))
        .under(under)
        .start();
    worker
        .until_logged("it cannot be written: check its permissions")
        .await;
    assert!(!worker.ended().await.success());
}
