//! The numbers of a store.

use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, Utc};
use sancho::api::{MAX_HISTORY, Stats};
use sancho::store::{ClaimRequest, Owner};
use sancho::store::{Effect, Registration, Stat, TimedSet};
use sancho_tests::effects::{strictly, tail};

use super::{apply, invalid, push, put};
use crate::harness::{Flow, flows};

async fn every_place_is_counted(flow: Flow) {
    let api = flow.api();
    let empty = api.stats().await.unwrap();
    assert_eq!(empty, Stats::default());
    assert!(empty.is_idle());

    push(&flow, "claimed", &["0"]).await;
    let owner = Owner::random();
    let store = flow.store();
    let lease = Duration::from_secs(60);
    store
        .renew(&owner, lease, Registration::First)
        .await
        .unwrap();
    let claim = ClaimRequest {
        owner,
        seq: 1,
        sources: strictly(&["claimed"]),
        limit: 1,
    };
    store.claim(&claim).await.unwrap();
    push(&flow, "a", &["1", "2"]).await;
    let waited = flow.now().before(Duration::from_millis(500)).as_millis();
    let job = format!(r#"{{"class":"A","args":[],"enqueued_at":{waited}}}"#);
    apply(&flow, vec![tail("default", job)]).await;
    put(&flow, TimedSet::Schedule, &[("s", 1)]).await;
    put(&flow, TimedSet::Retry, &[("r", 1), ("r2", 1)]).await;
    put(&flow, TimedSet::Dead, &[("d", 1)]).await;
    apply(
        &flow,
        vec![
            Effect::Count(Stat::Processed, 7),
            Effect::Count(Stat::Failed, 3),
        ],
    )
    .await;

    let stats = api.stats().await.unwrap();
    assert_eq!((stats.processed, stats.failed), (7, 3));
    assert_eq!((stats.enqueued, stats.scheduled, stats.retries), (3, 1, 2));
    assert_eq!((stats.dead, stats.claimed), (1, 1));
    assert_eq!((stats.processes, stats.busy), (0, 0));
    let latency = stats.default_queue_latency.as_millis();
    assert!((500..502).contains(&latency), "{latency}");
    assert!(!stats.is_idle());
}

async fn the_history_has_a_row_a_day(flow: Flow) {
    let api = flow.api();
    apply(
        &flow,
        vec![
            Effect::Count(Stat::Processed, 7),
            Effect::Count(Stat::Failed, 3),
        ],
    )
    .await;
    // Of the store's day; at midnight the clock of the test may be on another.
    let today = DateTime::<Utc>::from(flow.now()).date_naive();
    let history = api.history(3, None).await.unwrap();
    let dates: Vec<_> = history.iter().map(|day| day.date).collect();
    let before = |n| today.checked_sub_days(Days::new(n)).unwrap();
    assert_eq!(dates, [today, before(1), before(2)]);
    assert_eq!((history[0].processed, history[0].failed), (7, 3));
    assert_eq!((history[1].processed, history[1].failed), (0, 0));
    let older = api.history(1, Some(before(9))).await.unwrap();
    assert_eq!((older[0].date, older[0].processed), (before(9), 0));
    let years = api.history(MAX_HISTORY, None).await.unwrap();
    assert_eq!(years.len(), 1_825);
    for days in [0, MAX_HISTORY + 1, u32::MAX] {
        let error = invalid(api.history(days, None).await);
        assert!(error.ends_with("ask for 1 to 1825"), "{error}");
    }
    invalid(api.history(2, Some(NaiveDate::MIN)).await);
}

async fn totals_are_reset_and_days_stay(flow: Flow) {
    let api = flow.api();
    apply(
        &flow,
        vec![
            Effect::Count(Stat::Processed, 7),
            Effect::Count(Stat::Failed, 3),
        ],
    )
    .await;
    api.reset_stats(&[Stat::Failed]).await.unwrap();
    assert_eq!(flow.counters().await, (7, 0));
    api.reset_stats(&Stat::ALL).await.unwrap();
    assert_eq!(flow.counters().await, (0, 0));
    let today = api.history(1, None).await.unwrap();
    assert_eq!((today[0].processed, today[0].failed), (7, 3));
    api.reset_stats(&[]).await.unwrap();
}

flows! {
    every_place_is_counted
    the_history_has_a_row_a_day
    totals_are_reset_and_days_stay
}
