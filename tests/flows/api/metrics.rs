//! Executions by class and time.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sancho::api::{BUCKETS, Metrics, Period, Sample};
use sancho::job::Timestamp;
use sancho::store::{Effect, Key, keys};

use super::{apply, invalid};
use crate::harness::{Flow, flows};

const TTL: Duration = Duration::from_secs(8 * 60 * 60);

fn ago(flow: &Flow, minutes: u64) -> DateTime<Utc> {
    flow.now().before(Duration::from_secs(60 * minutes)).into()
}

fn counts(key: Key, fields: &[(&str, u64)]) -> Effect {
    let field = |(name, n): &(&str, u64)| ((*name).into(), *n);
    Effect::AddFields {
        key,
        fields: fields.iter().map(field).collect(),
        ttl: TTL,
    }
}

fn sample(metrics: &Metrics, class: &str, step: usize) -> (u64, u64, u64) {
    let found = metrics.classes.iter().find(|found| found.class == class);
    let Sample {
        executed,
        failed,
        ms,
        ..
    } = found.unwrap().series[step];
    (executed, failed, ms)
}

/// Minutes of 8 and of 7.
async fn minutes(flow: &Flow) {
    apply(
        flow,
        vec![
            counts(
                keys::minute(ago(flow, 0)),
                &[
                    ("A|p", 5),
                    ("A|f", 1),
                    ("A|ms", 400),
                    ("odd", 7),
                    ("A|x", 1),
                ],
            ),
            counts(keys::minute_of_7(ago(flow, 0)), &[("A|p", 2), ("A|ms", 10)]),
            counts(
                keys::minute(ago(flow, 3)),
                &[("A|p", 1), ("A|f", 1), ("My|Job|p", 3), ("My|Job|ms", 900)],
            ),
            counts(
                keys::minute_of_7(ago(flow, 59)),
                &[("Slow|p", 1), ("Slow|ms", 5_000)],
            ),
            // Outside of an hour.
            counts(keys::minute(ago(flow, 60)), &[("A|p", 1_000)]),
        ],
    )
    .await;
}

async fn minutes_of_both_versions_are_added_up(flow: Flow) {
    minutes(&flow).await;
    let metrics = flow
        .api()
        .top_jobs(Period::Minutes(60), None)
        .await
        .unwrap();
    assert_eq!((metrics.steps.len(), metrics.step_seconds), (60, 60));
    let last = metrics.steps[59].as_micros();
    assert_eq!(last, flow.now().as_micros() / 60_000_000 * 60_000_000);
    assert_eq!(metrics.steps[0].as_micros(), last - 59 * 60_000_000);
    let names: Vec<_> = metrics.classes.iter().map(|class| &*class.class).collect();
    assert_eq!(names, ["Slow", "My|Job", "A"], "by the time that they took");
    assert_eq!(sample(&metrics, "A", 59), (7, 1, 410));
    assert_eq!(sample(&metrics, "A", 56), (1, 1, 0));
    assert_eq!(sample(&metrics, "Slow", 0), (1, 0, 5_000));
    let a = &metrics.classes[2];
    let totals = a.totals();
    assert_eq!((totals.executed, totals.failed, totals.ms), (8, 2, 410));
    assert!((totals.average_ms() - 410.0 / 6.0).abs() < 1e-9);
    // All of them failed.
    assert_eq!(a.series[56].average_ms().to_bits(), 0.0_f64.to_bits());
    assert!(a.histograms.is_empty());
}

async fn classes_are_filtered_by_their_names(flow: Flow) {
    minutes(&flow).await;
    let metrics = flow.api().top_jobs(Period::Minutes(60), Some("JOB")).await;
    let metrics = metrics.unwrap();
    assert_eq!(metrics.classes.len(), 1);
    assert_eq!(metrics.classes[0].class, "My|Job");
}

async fn hours_come_in_steps_of_ten_minutes(flow: Flow) {
    apply(
        &flow,
        vec![
            counts(
                keys::ten_minutes(ago(&flow, 0)),
                &[("A|p", 5), ("A|ms", 50)],
            ),
            counts(keys::minute_of_7(ago(&flow, 0)), &[("A|p", 1), ("A|ms", 1)]),
            counts(keys::ten_minutes(ago(&flow, 71 * 60)), &[("A|p", 9)]),
            // What stands in minutes of 8 stands in its steps as well.
            counts(keys::minute(ago(&flow, 0)), &[("A|p", 5)]),
        ],
    )
    .await;
    let metrics = flow.api().top_jobs(Period::Hours(72), None).await.unwrap();
    assert_eq!((metrics.steps.len(), metrics.step_seconds), (432, 600));
    assert_eq!(sample(&metrics, "A", 431), (6, 0, 51));
    let totals = metrics.classes[0].totals();
    assert_eq!((totals.executed, totals.ms), (15, 51));
}

async fn one_class_has_its_histograms(flow: Flow) {
    minutes(&flow).await;
    let observe = |key, counts: &[(u8, u16)]| Effect::Observe {
        key,
        counts: counts.to_vec(),
        ttl: TTL,
    };
    apply(
        &flow,
        vec![
            observe(keys::histogram("A", ago(&flow, 0)), &[(0, 3), (25, 2)]),
            observe(keys::histogram_of_7("A", ago(&flow, 0)), &[(0, 300)]),
            observe(keys::histogram("A", ago(&flow, 3)), &[(4, 1)]),
            observe(keys::histogram("B", ago(&flow, 3)), &[(4, 9)]),
        ],
    )
    .await;
    let api = flow.api();
    let metrics = api.metrics_of("A", Period::Minutes(10)).await.unwrap();
    let [a] = &metrics.classes[..] else {
        panic!("{metrics:?}");
    };
    assert_eq!((a.series.len(), a.histograms.len()), (10, 10));
    let day_and_minute = ago(&flow, 0).format("%d").to_string();
    // In the first nine days of a month the two versions differ in the name, else they share one.
    assert_eq!(
        (a.histograms[9][0], a.histograms[9][25]),
        (303, 2),
        "{day_and_minute}"
    );
    assert_eq!(a.histograms[6][4], 1);
    let mut all = [0; BUCKETS];
    (all[0], all[4], all[25]) = (303, 1, 2);
    assert_eq!(a.histogram(), all);

    let none = api.metrics_of("Nobody", Period::Minutes(5)).await.unwrap();
    assert_eq!(none.classes[0].totals(), Sample::default());
    assert_eq!(none.classes[0].series.len(), 5);
    let hours = api.metrics_of("A", Period::Hours(1)).await.unwrap();
    assert!(hours.classes[0].histograms.is_empty());
}

async fn deploys_of_the_period_are_marked(flow: Flow) {
    let api = flow.api();
    let at = |minutes| Timestamp::from(ago(&flow, minutes));
    for (label, minutes) in [("now", 0), ("before", 59), ("too early", 60)] {
        assert!(api.deploys().mark_at(label, at(minutes)).await.unwrap());
    }
    let metrics = api.top_jobs(Period::Minutes(60), None).await.unwrap();
    let labels: Vec<_> = metrics.marks.iter().map(|mark| &*mark.label).collect();
    assert_eq!(labels, ["before", "now"]);
    let day = api.top_jobs(Period::Hours(24), None).await.unwrap();
    assert_eq!(day.marks.len(), 3);
}

async fn periods_have_their_limits(flow: Flow) {
    let api = flow.api();
    for period in [
        Period::Minutes(0),
        Period::Minutes(481),
        Period::Hours(0),
        Period::Hours(73),
        Period::Hours(u32::MAX),
    ] {
        let error = invalid(api.top_jobs(period, None).await);
        assert!(error.contains("ask for 1 to"), "{error}");
        invalid(api.metrics_of("A", period).await);
    }
    invalid(api.metrics_of("", Period::Minutes(1)).await);
    let all = api.top_jobs(Period::Minutes(480), None).await.unwrap();
    assert_eq!((all.steps.len(), all.classes.len()), (480, 0));
}

flows! {
    minutes_of_both_versions_are_added_up
    classes_are_filtered_by_their_names
    hours_come_in_steps_of_ten_minutes
    one_class_has_its_histograms
    deploys_of_the_period_are_marked
    periods_have_their_limits
}
