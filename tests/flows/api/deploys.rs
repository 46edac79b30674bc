//! Deploy marks.

use std::time::Duration;

use chrono::{DateTime, TimeZone, Utc};
use sancho::job::Timestamp;
use sancho::store::{Effect, keys};

use super::{apply, hash, invalid};
use crate::harness::{Flow, flows};

fn at(hour: u32, minute: u32, second: u32) -> Timestamp {
    let at: DateTime<Utc> = Utc
        .with_ymd_and_hms(2026, 11, 23, hour, minute, second)
        .unwrap();
    at.into()
}

async fn a_deploy_is_marked_in_sidekiqs_form(flow: Flow) {
    let deploys = flow.api().deploys();
    assert!(deploys.mark_at("v1 é", at(21, 28, 59)).await.unwrap());
    let fields = flow.store().fields(&["20261123-marks".into()]).await;
    assert_eq!(
        fields.unwrap(),
        [[("2026-11-23T21:28:00Z".to_owned(), "v1 é".into())]]
    );
    let lock = flow.store().values(&["deploylock-v1 é".into()]).await;
    assert!(lock.unwrap()[0].is_some());
}

async fn ten_machines_mark_a_deploy_once(flow: Flow) {
    let deploys = flow.api().deploys();
    let (one, other) = tokio::join!(
        deploys.mark_at("v1", at(9, 5, 1)),
        deploys.mark_at("v1", at(9, 6, 1))
    );
    assert_ne!(one.unwrap(), other.unwrap(), "one of them marks it");
    // A minute has one mark, the first.
    assert!(deploys.mark_at("v2", at(10, 0, 0)).await.unwrap());
    assert!(!deploys.mark_at("v3", at(10, 0, 59)).await.unwrap());
    let marks = deploys.fetch(at(0, 0, 0).into_date()).await.unwrap();
    assert_eq!(marks.len(), 2);
    assert_eq!((marks[1].at, &*marks[1].label), (at(10, 0, 0), "v2"));
    // When the lock has run out.
    apply(&flow, vec![Effect::Unset(keys::deploy_lock("v1"))]).await;
    assert!(deploys.mark_at("v1", at(11, 0, 0)).await.unwrap());
}

async fn the_marks_of_a_day_are_read_in_order(flow: Flow) {
    let deploys = flow.api().deploys();
    let day = at(0, 0, 0);
    assert_eq!(deploys.fetch(day.into_date()).await.unwrap(), []);
    apply(
        &flow,
        vec![hash(
            keys::marks(day.into()),
            &[
                ("2026-11-23T21:28:00Z", "late"),
                ("2026-11-23T09:00:00Z", "early"),
                ("no time", "odd"),
            ],
        )],
    )
    .await;
    let marks = deploys.fetch(day.into_date()).await.unwrap();
    let labels: Vec<_> = marks.iter().map(|mark| &*mark.label).collect();
    assert_eq!(labels, ["early", "late"]);
    let next = day.after(Duration::from_secs(24 * 60 * 60));
    assert_eq!(deploys.fetch(next.into_date()).await.unwrap(), []);
}

async fn now_is_marked_and_no_label_is_refused(flow: Flow) {
    let deploys = flow.api().deploys();
    assert!(deploys.mark("v9").await.unwrap());
    let marks = deploys.fetch(flow.now().into_date()).await.unwrap();
    let minute = flow.now().as_micros() / 60_000_000 * 60_000_000;
    assert_eq!(marks[0].at, Timestamp::from_micros(minute));
    assert_eq!(
        invalid(deploys.mark("").await),
        "the label of a deploy is empty"
    );
    let error = invalid(deploys.mark_at("v", Timestamp::from_micros(i64::MAX)).await);
    assert!(error.contains("cannot be the time of a deploy"), "{error}");
}

trait Date {
    fn into_date(self) -> chrono::NaiveDate;
}

impl Date for Timestamp {
    fn into_date(self) -> chrono::NaiveDate {
        DateTime::<Utc>::from(self).date_naive()
    }
}

flows! {
    a_deploy_is_marked_in_sidekiqs_form
    ten_machines_mark_a_deploy_once
    the_marks_of_a_day_are_read_in_order
    now_is_marked_and_no_label_is_refused
}
