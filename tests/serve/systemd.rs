//! What a worker tells its service manager.

use std::time::Duration;

use rustix::process::Signal;
use tokio::net::UnixDatagram;
use tokio::time::timeout;

use crate::process::{Site, Worker};

/// The next message that has this in it.
async fn told(listener: &UnixDatagram, part: &str) -> String {
    let mut buffer = [0; 512];
    loop {
        let receive = timeout(Duration::from_secs(60), listener.recv(&mut buffer));
        let length = receive
            .await
            .unwrap_or_else(|_| panic!("{part:?} was not told"))
            .unwrap();
        let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if message.contains(part) {
            return message;
        }
    }
}

#[tokio::test]
async fn the_service_manager_is_told_of_everything() {
    let site = Site::new();
    let listener = UnixDatagram::bind(site.path("notify")).unwrap();
    let client = site.client().await;
    client.push("Holds", ()).await.unwrap();
    let mut command = site.worker(["-t", "0", "--alive-file", "alive"]);
    command
        .env("NOTIFY_SOCKET", site.path("notify"))
        .env("WATCHDOG_USEC", "200000");
    let mut worker = Worker::start(command);
    assert_eq!(told(&listener, "").await, "READY=1");
    worker.line("holding").await;
    let beat = told(&listener, "1 of 10 slots are busy").await;
    assert!(beat.contains("WATCHDOG=1"), "{beat}");
    // It is written beside what is told, so it may come a few beats later.
    let is_alive = || {
        let alive = std::fs::read_to_string(site.path("alive"));
        alive.is_ok_and(|alive| alive == worker.id().to_string())
    };
    let mut beats = 0;
    while !is_alive() {
        told(&listener, "WATCHDOG=1").await;
        beats += 1;
        assert!(beats < 100, "the file does not come");
    }
    worker.send(Signal::TSTP);
    told(&listener, "busy, quiet").await;
    worker.send(Signal::HUP);
    told(&listener, "RELOADING=1\nMONOTONIC_USEC=").await;
    told(&listener, "READY=1").await;
    worker.send(Signal::TERM);
    told(&listener, "STOPPING=1").await;
    assert!(worker.ended().await.success());
    assert!(!site.path("alive").exists());
}
