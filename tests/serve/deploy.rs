//! What lies in `deploy/`.

use std::fs;
use std::path::Path;

use crate::process::{Site, WORKER, Worker};

/// A file of it.
pub(crate) fn deployed(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
    fs::read_to_string(folder.join(name)).unwrap()
}

/// Runs where systemd is installed; nothing of it has to run.
#[tokio::test]
async fn systemd_finds_nothing_wrong_with_the_unit() {
    let site = Site::new();
    let unit = deployed("sancho.service");
    assert!(unit.contains("ExecStart=/usr/local/bin/worker "));
    site.write(
        "worker.service",
        &unit.replace("/usr/local/bin/worker", WORKER),
    );
    let mut verify = site.command("systemd-analyze");
    verify.args(["verify", "--man=no", "./worker.service"]);
    if verify.spawn().is_err() {
        eprintln!("there is no systemd-analyze here: the unit was not verified");
        return;
    }
    let (code, _, errors) = site.ended(verify).await;
    assert_eq!((code, errors.as_str()), (Some(0), ""));
}

#[tokio::test]
async fn the_config_file_of_the_manifests_is_right() {
    let site = Site::new();
    let manifests = deployed("kubernetes.yaml");
    let (_, from) = manifests.split_once("sidekiq.yml: |\n").unwrap();
    let (text, _) = from.split_once("---").unwrap();
    site.write("config/sidekiq.yml", text);
    let mut worker = Worker::start(site.worker(["--alive-file", "alive", "--log-format", "json"]));
    let line = worker.line("sancho serves").await;
    assert!(line.contains("critical"), "{line}");
    worker.stop().await;
}
