//! How far jobs that iterate have come, and telling a job to end.

use std::time::Duration;

use sancho::store::keys;

use super::{apply, hash, invalid, ms};
use crate::harness::{Flow, flows};

async fn the_state_of_an_iteration_is_read(flow: Flow) {
    apply(
        &flow,
        vec![
            hash(
                keys::iteration("a"),
                &[("ex", "1"), ("c", "270"), ("rt", "54.15371106099997")],
            ),
            hash(keys::iteration("odd"), &[("ex", "x"), ("rt", "-1")]),
        ],
    )
    .await;
    let api = flow.api();
    let read = api.iterations(&["a", "none", "odd"]).await.unwrap();
    let a = read[0].as_ref().unwrap();
    assert_eq!((a.executions, a.cursor.as_deref()), (1, Some("270")));
    assert_eq!(a.runtime.as_millis(), 54_153);
    assert_eq!((a.cancelled, &read[1]), (None, &None));
    let odd = read[2].as_ref().unwrap();
    assert_eq!((odd.executions, odd.runtime), (0, Duration::ZERO));
    assert_eq!(api.iteration("a").await.unwrap(), read[0]);
    assert!(api.iterations::<&str>(&[]).await.unwrap().is_empty());
    invalid(api.iteration("").await);
}

async fn a_job_is_cancelled_once(flow: Flow) {
    let api = flow.api();
    apply(&flow, vec![hash(keys::iteration("a"), &[("ex", "3")])]).await;
    let first = api.cancel_iteration("a").await.unwrap();
    assert_eq!(first, ms(flow.now().as_millis() / 1_000 * 1_000));
    flow.pass(Duration::from_secs(9));
    assert_eq!(
        api.cancel_iteration("a").await.unwrap(),
        first,
        "the first time counts"
    );
    let state = api.iteration("a").await.unwrap().unwrap();
    assert_eq!((state.executions, state.cancelled), (3, Some(first)));
    // One that has not started yet can be told too.
    api.cancel_iteration("b").await.unwrap();
    assert!(
        api.iteration("b")
            .await
            .unwrap()
            .unwrap()
            .cancelled
            .is_some()
    );
    invalid(api.cancel_iteration("").await);
}

flows! {
    the_state_of_an_iteration_is_read
    a_job_is_cancelled_once
}
