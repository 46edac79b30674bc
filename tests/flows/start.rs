//! Starts that must fail, with one message that says what to do.

use sancho::job;
use sancho::runtime::Server;

pub(crate) struct Pool;

#[job]
async fn needs_state(#[state] pool: &Pool) {
    let _ = pool;
}

#[job]
async fn plain() {}

mod other {
    #[sancho::job]
    pub(super) async fn plain() {}
}

#[test]
fn missing_state_stops_the_start() {
    let error = Server::builder().only::<needs_state>().build().unwrap_err();
    assert!(error.is_jobs());
    let message = error.to_string();
    for part in ["`needs_state`", "start.rs:", "Pool", ".state("] {
        assert!(message.contains(part), "{message}");
    }
    assert!(
        Server::builder()
            .only::<needs_state>()
            .state(Pool)
            .build()
            .is_ok()
    );
}

#[test]
fn two_jobs_of_one_class_stop_the_start() {
    let message = Server::builder()
        .only::<plain>()
        .only::<other::plain>()
        .build()
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("`Plain`") && message.matches("start.rs:").count() == 2,
        "{message}"
    );
    assert!(
        Server::builder()
            .only::<plain>()
            .only::<plain>()
            .build()
            .is_ok()
    );
}

#[test]
fn settings_out_of_bounds_stop_the_start() {
    let server = || Server::builder().only::<plain>();
    for (builder, part) in [
        (server().concurrency(0), "concurrency is 0"),
        (server().queues(Vec::<String>::new()), "no queue"),
        (server().queues([""]), "empty"),
        (server().lease(std::time::Duration::ZERO), "lease"),
        (server().dead_max_jobs(0), "dead_max_jobs is 0"),
    ] {
        let error = builder.build().unwrap_err();
        assert!(
            error.is_config() && error.to_string().contains(part),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_store_that_cannot_be_used_stops_the_start() {
    for (url, part) in [
        ("postgres://localhost", "which is no store"),
        ("redis://127.0.0.1:1", "127.0.0.1:1"),
        ("sqlite:/nonexistent/folder/x.db", "/nonexistent/folder"),
    ] {
        let server = Server::builder()
            .only::<plain>()
            .store(url)
            .build()
            .unwrap();
        let error = server.run_until(std::future::pending()).await.unwrap_err();
        assert!(
            error.to_string().contains(part)
                && error.to_string().contains("redis://") | error.to_string().contains("--store"),
            "{error}"
        );
    }
}
