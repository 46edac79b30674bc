use super::*;
use crate::store::QueueInfo;

/// The chapter of the guide that has the table.
const GUIDE: &str = include_str!("../../guide/observing.md");

#[test]
fn the_guide_names_all_metrics_and_no_others() {
    let text = page::write(&Handle::of_no_server(), None);
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("# "));
    let mut table = String::new();
    while let (Some(help), Some(kind)) = (lines.next(), lines.next()) {
        let (name, help) = help.strip_prefix("HELP ").unwrap().split_once(' ').unwrap();
        let kind = kind.strip_prefix(&format!("TYPE {name} ")).unwrap();
        table.push_str(&format!("| `{name}` | {kind} | {help} |\n"));
    }
    assert!(
        GUIDE.contains(&table),
        "the table of guide/observing.md is to be:\n{table}"
    );
}

#[tokio::test]
async fn a_server_that_does_not_run_shows_what_it_has() {
    let handle = Handle::of_no_server();
    assert_eq!(handle.ready().await, Err(NotReady::Starting));
    let text = handle.metrics_text().await;
    for line in [
        "sancho_busy{capsule=\"default\"} 0",
        "sancho_concurrency{capsule=\"default\"} 10",
        "sancho_store_up 0",
    ] {
        assert!(text.lines().any(|it| it == line), "{line} in {text}");
    }
    assert!(!text.contains("sancho_set_jobs{"), "{text}");
    handle.has_started();
    assert_eq!(handle.ready().await, Err(NotReady::StoreAway));
    handle.begin_quiet();
    assert_eq!(handle.ready().await, Err(NotReady::Quiet));
}

#[test]
fn no_more_queues_are_shown_than_that_a_scrape_stays_small() {
    let queue = |n: usize| QueueInfo {
        name: format!("q{n:04}"),
        size: 1,
        head: Some(r#"{"enqueued_at":1000}"#.into()),
    };
    let seen = Seen {
        census: Census {
            queues: (0..1_001).map(queue).collect(),
            ..Census::default()
        },
        now: Timestamp::from_millis(3_500),
    };
    let text = page::write(&Handle::of_no_server(), Some(&seen));
    assert!(text.contains("sancho_queues 1001\n"), "{text}");
    assert!(text.contains("sancho_queue_jobs{queue=\"q0999\"} 1\n"));
    assert!(!text.contains("q1000"), "{text}");
    assert!(text.contains("sancho_queue_latency_seconds{queue=\"q0000\"} 2.5\n"));
}
