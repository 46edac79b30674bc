//! Moving everything to another store.

use std::time::Duration;

use sancho::api::Api;
use sancho::store::{
    Claim, ClaimRequest, Effect, Members, Order, Owner, Registration, Stat, TimedSet,
};
use sancho_tests::Kind;
use sancho_tests::effects::strictly;

use super::{apply, hash, invalid, jid, push, put};
use crate::harness::{Flow, flows};

async fn queue(api: &Api, name: &str) -> Vec<String> {
    let mut jids = Vec::new();
    let mut cursor = Some(0);
    while let Some(from) = cursor {
        let page = api
            .queue(name)
            .unwrap()
            .page(Order::Forward, from, 1_000)
            .await
            .unwrap();
        jids.extend(page.jobs.iter().map(jid));
        cursor = page.next;
    }
    jids
}

async fn everything_is_carried_over(flow: Flow) {
    let ids: Vec<String> = (0..1_100).map(|n| format!("j{n:04}")).collect();
    let ids: Vec<&str> = ids.iter().map(|id| &**id).collect();
    push(&flow, "default", &ids).await;
    push(&flow, "low", &["l1", "l2"]).await;
    for (set, jids) in [
        (TimedSet::Schedule, [("s1", 5), ("s2", 9)]),
        (TimedSet::Retry, [("r1", 5), ("r2", 9)]),
        (TimedSet::Dead, [("d1", 5), ("d2", 9)]),
    ] {
        put(&flow, set, &jids).await;
    }
    let counted = vec![
        Effect::Join(Members::Paused, "low".into()),
        Effect::Count(Stat::Processed, 70),
        Effect::Count(Stat::Failed, 7),
        Effect::Carry {
            stat: Stat::Failed,
            day: Some(day_before(&flow, 3).into()),
            by: 9,
        },
    ];
    apply(&flow, counted).await;
    let from = flow.api();
    let before = from.scheduled().page(Order::Forward, 0, 9).await.unwrap();

    let there = Flow::on(Kind::Memory).await;
    push(&there, "low", &["first"]).await;
    apply(&there, vec![Effect::Count(Stat::Processed, 1)]).await;
    let to = there.api();
    let mut relocation = from.move_to(&to);
    let (mut pages, mut last) = (0, None);
    while let Some(progress) = relocation.next().await.unwrap() {
        pages += 1;
        last = Some(progress);
    }
    let last = last.unwrap();
    assert_eq!((last.total, last.moved, last.already), (1_108, 1_108, 0));
    assert!(pages >= 7, "{pages}");

    assert_eq!(queue(&to, "default").await, ids);
    assert_eq!(queue(&to, "low").await, ["first", "l1", "l2"]);
    let after = to.scheduled().page(Order::Forward, 0, 9).await.unwrap();
    let whole = |page: sancho::api::EntryPage| {
        page.entries
            .iter()
            .map(|entry| (entry.at(), entry.payload().clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(whole(after), whole(before));
    let stats = to.stats().await.unwrap();
    assert_eq!((stats.processed, stats.failed), (71, 7));
    let days = to.history(5, None).await.unwrap();
    let days: Vec<_> = days.iter().map(|day| (day.processed, day.failed)).collect();
    assert_eq!(days, [(71, 7), (0, 0), (0, 0), (0, 9), (0, 0)]);
    assert_eq!(
        (stats.scheduled, stats.retries, stats.dead, stats.claimed),
        (2, 2, 2, 0)
    );
    assert!(to.queue("low").unwrap().is_paused().await.unwrap());
    let stats = from.stats().await.unwrap();
    assert!(
        stats.is_idle() && stats.dead == 0 && stats.processed == 0,
        "{stats:?}"
    );
    assert!(from.doctor().await.unwrap().is_sound());
    assert!(to.doctor().await.unwrap().is_sound());
    let days = from.history(5, None).await.unwrap();
    assert!(
        days.iter().all(|day| day.processed + day.failed == 0),
        "{days:?}"
    );
    assert_eq!(from.move_to(&to).finish().await.unwrap().moved, 0);
    assert_eq!(to.stats().await.unwrap().processed, 71);
}

fn day_before(flow: &Flow, days: u64) -> String {
    let today = chrono::DateTime::from(flow.now()).date_naive();
    (today - chrono::Days::new(days)).to_string()
}

/// A move is cut off when the destination has added the counters, and the source has not taken them away; then it counts on.
async fn counters_are_carried_once(flow: Flow) {
    let (from, there) = (flow.api(), Flow::on(Kind::Memory).await);
    let to = there.api();
    let today = day_before(&flow, 0);
    apply(&flow, vec![Effect::Count(Stat::Processed, 70)]).await;
    let day = format!("stat:processed:{today}");
    let carried = [("id", "a1"), ("stat:processed", "70"), (&*day, "70")];
    apply(&flow, vec![hash("sancho:move:counters".into(), &carried)]).await;
    let added = Effect::Set {
        key: "sancho:move:added:a1".into(),
        value: bytes::Bytes::new(),
        ttl: None,
    };
    apply(&there, vec![added, Effect::Count(Stat::Processed, 70)]).await;
    apply(&flow, vec![Effect::Count(Stat::Processed, 5)]).await;

    for _ in 0..2 {
        from.move_to(&to).finish().await.unwrap();
        assert_eq!(to.stats().await.unwrap().processed, 75);
        assert_eq!(to.history(1, None).await.unwrap()[0].processed, 75);
        assert_eq!(from.stats().await.unwrap().processed, 0);
        assert_eq!(from.history(1, None).await.unwrap()[0].processed, 0);
    }
}

/// A move that is dropped between its pages goes on; one that was cut off between the two stores places nothing twice.
async fn a_move_that_was_cut_off_goes_on(flow: Flow) {
    let ids: Vec<String> = (0..600).map(|n| format!("j{n:04}")).collect();
    let timed: Vec<_> = ids.iter().map(|id| &**id).zip(1..).collect();
    put(&flow, TimedSet::Retry, &timed).await;
    let (from, there) = (flow.api(), Flow::on(Kind::Memory).await);
    let to = there.api();
    let mut relocation = from.move_to(&to);
    let progress = relocation.next().await.unwrap().unwrap();
    assert_eq!((progress.moved, progress.place.as_str()), (500, "retry"));
    drop(relocation);

    // What the destination has and remembers of a page that was never taken away here.
    let page = from.retries().page(Order::Forward, 0, 3).await.unwrap();
    for entry in &page.entries {
        to.retries()
            .put(entry.at(), entry.payload().clone())
            .await
            .unwrap();
    }
    let remembered = page.entries.iter().map(|entry| {
        let field = entry.payload().escape_ascii().to_string();
        (field.into(), bytes::Bytes::new())
    });
    let remembered = Effect::SetFields {
        key: "sancho:move:retry".into(),
        fields: remembered.collect(),
        ttl: None,
    };
    apply(&there, vec![remembered]).await;
    let progress = from.move_to(&to).finish().await.unwrap();
    assert_eq!((progress.moved, progress.already), (100, 3));
    assert_eq!(to.retries().size().await.unwrap(), 600);
}

/// The process that moves is killed when a page of a queue is placed and not let go of: its claims are put back, changed by that.
async fn a_queue_that_was_cut_off_is_placed_once(flow: Flow) {
    push(&flow, "default", &["a", "b", "c"]).await;
    let (from, there) = (flow.api(), Flow::on(Kind::Memory).await);
    let to = there.api();
    let page = from
        .queue("default")
        .unwrap()
        .page(Order::Forward, 0, 9)
        .await
        .unwrap();
    let remembered = page.jobs.iter().map(|job| {
        let field = job.payload().escape_ascii().to_string();
        (field.into(), bytes::Bytes::new())
    });
    let remembered = Effect::SetFields {
        key: "sancho:move:default".into(),
        fields: remembered.collect(),
        ttl: None,
    };
    apply(&there, vec![remembered]).await;
    push(&there, "default", &["a", "b", "c"]).await;
    from.queue("default").unwrap().clear().await.unwrap();
    for job in &page.jobs {
        let back = job.text().replacen(
            '{',
            r#"{"sancho_recoveries":{"count":1,"first":1795469264488},"#,
            1,
        );
        from.queue("default").unwrap().put(back).await.unwrap();
    }
    push(&flow, "default", &["d"]).await;
    let progress = from.move_to(&to).finish().await.unwrap();
    assert_eq!((progress.moved, progress.already), (4, 3));
    assert_eq!(queue(&to, "default").await, ["a", "b", "c", "d"]);
    assert!(from.stats().await.unwrap().is_idle());
}

async fn how_far_jobs_have_come_is_carried_over(flow: Flow) {
    put(&flow, TimedSet::Retry, &[("r1", 5)]).await;
    push(&flow, "default", &["q1"]).await;
    let states =
        ["r1", "q1"].map(|jid| hash(format!("it-{jid}").into(), &[("ex", "2"), ("c", "900000")]));
    apply(&flow, states.into()).await;
    let (from, there) = (flow.api(), Flow::on(Kind::Memory).await);
    let to = there.api();
    assert_eq!(from.move_to(&to).finish().await.unwrap().moved, 2);
    for jid in ["r1", "q1"] {
        assert!(to.iteration(jid).await.unwrap().is_some(), "{jid}");
        assert!(from.iteration(jid).await.unwrap().is_none(), "{jid}");
    }
}

async fn what_is_pushed_meanwhile_is_moved_as_well(flow: Flow) {
    push(&flow, "default", &["a"]).await;
    let (from, there) = (flow.api(), Flow::on(Kind::Memory).await);
    let to = there.api();
    let mut relocation = from.move_to(&to);
    assert_eq!(relocation.next().await.unwrap().unwrap().moved, 1);
    put(&flow, TimedSet::Schedule, &[("s1", 5)]).await;
    push(&flow, "another", &["b"]).await;
    let moved = relocation.finish().await.unwrap().moved;
    assert_eq!(moved, 3);
    assert!(from.stats().await.unwrap().is_idle());
}

async fn a_store_that_is_used_is_not_moved(flow: Flow) {
    push(&flow, "default", &["a"]).await;
    let (store, owner) = (flow.store(), Owner::random());
    store
        .renew(&owner, Duration::from_secs(12), Registration::First)
        .await
        .unwrap();
    let request = ClaimRequest {
        owner,
        seq: 1,
        sources: strictly(&["default"]),
        limit: 1,
    };
    assert!(
        matches!(store.claim(&request).await.unwrap(), Claim::Taken { jobs, .. } if jobs.len() == 1)
    );
    let there = Flow::on(Kind::Memory).await;
    let error = invalid(flow.api().move_to(&there.api()).next().await);
    assert!(
        error.contains("1 jobs are in the hands of processes"),
        "{error}"
    );
    assert_eq!(there.api().stats().await.unwrap().enqueued, 0);
}

flows! {
    counters_are_carried_once
    everything_is_carried_over
    a_move_that_was_cut_off_goes_on
    a_queue_that_was_cut_off_is_placed_once
    how_far_jobs_have_come_is_carried_over
    what_is_pushed_meanwhile_is_moved_as_well
    a_store_that_is_used_is_not_moved
}
