//! All entries of a set at once, page by page.

use std::time::Duration;

use sancho::api::{Progress, SortedEntry, Sweep};
use sancho::job::Timestamp;
use sancho::store::{Order, TimedSet};
use sancho_tests::effects::{take, timed};

use super::{apply, invalid, put};
use crate::harness::{Flow, field, flows};

const ALL: usize = 250;

/// So many retries, one a second, and something that is no job in their middle.
async fn retries(flow: &Flow) -> Vec<String> {
    let ids: Vec<String> = (0..ALL).map(|n| format!("{n:03}")).collect();
    let jids: Vec<(&str, u64)> = ids.iter().map(|id| &**id).zip(1..).collect();
    put(flow, TimedSet::Retry, &jids).await;
    apply(
        flow,
        vec![timed(TimedSet::Retry, seconds(flow, 100), "no job")],
    )
    .await;
    ids
}

fn seconds(flow: &Flow, n: u64) -> Timestamp {
    flow.now().after(Duration::from_secs(n))
}

/// Runs a sweep, and checks that it tells how far it is.
async fn run(mut sweep: Sweep) -> Progress {
    let mut last = Progress::default();
    while let Some(progress) = sweep.next().await.unwrap() {
        assert!(progress.looked_at >= last.looked_at, "{progress:?}");
        let parts = progress.done + progress.gone + progress.left;
        assert_eq!(parts, progress.looked_at, "{progress:?}");
        assert!(progress.looked_at <= progress.total, "{progress:?}");
        last = progress;
    }
    assert_eq!(sweep.next().await.unwrap(), None);
    last
}

fn counts(progress: &Progress) -> (u64, u64, u64, u64) {
    let Progress {
        total,
        done,
        gone,
        left,
        ..
    } = *progress;
    (total, done, gone, left)
}

async fn all_are_retried_but_what_is_no_job(flow: Flow) {
    let ids = retries(&flow).await;
    let progress = run(flow.api().retries().retry_all()).await;
    assert_eq!(counts(&progress), (251, 250, 0, 1));
    let pushed = flow.queue("default").await;
    assert_eq!(pushed.len(), ALL);
    assert!(pushed[0].contains(&ids[0]) && pushed[249].contains(&ids[249]));
    assert_eq!(flow.timed(TimedSet::Retry).await[0].payload, "no job");
}

async fn all_are_added_to_their_queues(flow: Flow) {
    put(&flow, TimedSet::Schedule, &[("a", 1), ("b", 2)]).await;
    let sweep = flow.api().scheduled().add_all_to_queue();
    let progress = sweep.finish().await.unwrap();
    assert_eq!(counts(&progress), (2, 2, 0, 0));
    assert_eq!(flow.queue("default").await.len(), 2);
}

async fn all_are_killed(flow: Flow) {
    retries(&flow).await;
    let api = flow.api().dead_set_limits(201, Duration::from_secs(99));
    let progress = run(api.retries().kill_all()).await;
    assert_eq!(counts(&progress), (251, 251, 0, 0));
    assert_eq!(api.retries().size().await.unwrap(), 0);
    assert_eq!(api.dead().size().await.unwrap(), 200);
}

async fn all_are_deleted(flow: Flow) {
    retries(&flow).await;
    let progress = run(flow.api().retries().delete_all()).await;
    assert_eq!(counts(&progress), (251, 251, 0, 0));
    assert_eq!(flow.api().retries().size().await.unwrap(), 0);
}

/// To before all of them, into their middle, to one of their times, and behind all of them.
async fn all_are_moved_to_one_time(flow: Flow) {
    for (to, already) in [(0, 0), (125, 1), (100, 2), (400, 0)] {
        flow.api().retries().clear().await.unwrap();
        retries(&flow).await;
        let at = seconds(&flow, to);
        let progress = run(flow.api().retries().reschedule_all(at)).await;
        assert_eq!((progress.total, progress.gone), (251, 0));
        assert_eq!(progress.done, 251 - already, "to {to}");
        let entries = flow.timed(TimedSet::Retry).await;
        assert_eq!(entries.len(), 251);
        assert!(entries.iter().all(|entry| entry.at == Some(at)), "to {to}");
    }
}

async fn only_what_matches_is_acted_on(flow: Flow) {
    retries(&flow).await;
    let api = flow.api();
    let sweep = api
        .retries()
        .delete_all()
        .matching(|entry| entry.jid().as_str().ends_with('7'));
    assert_eq!(counts(&run(sweep).await), (251, 25, 0, 226));
    assert_eq!(api.retries().size().await.unwrap(), 226);
    assert!(api.retries().find("007").await.unwrap().is_none());
}

/// Jobs that fail again while the sweep runs do not keep it going, and are not pushed twice.
async fn a_sweep_ends_while_jobs_come_back(flow: Flow) {
    retries(&flow).await;
    let mut sweep = flow.api().retries().retry_all();
    let mut progress = Progress::default();
    let mut failed = 0;
    while let Some(next) = sweep.next().await.unwrap() {
        progress = next;
        flow.pass(Duration::from_millis(1));
        let pushed = flow.queue("default").await;
        let again = pushed[failed..].iter().map(|job| {
            let jid = field(job.as_bytes(), "jid");
            let now = flow.now().as_millis();
            let job = format!(
                r#"{{"class":"A","args":[],"queue":"default","jid":{jid},"retry_count":0,"failed_at":{now}}}"#
            );
            timed(TimedSet::Retry, seconds(&flow, 1), job)
        });
        apply(&flow, again.collect()).await;
        failed = pushed.len();
    }
    // All but what is no job: those that came back take nobody's place.
    assert_eq!(counts(&progress), (251, 250, 0, 1));
    let pushed = flow.queue("default").await;
    let mut jids: Vec<_> = pushed
        .iter()
        .map(|job| field(job.as_bytes(), "jid").to_string())
        .collect();
    jids.sort();
    jids.dedup();
    assert_eq!((jids.len(), pushed.len()), (ALL, ALL));
}

/// Entries that others take from before those that are not looked at yet make it miss none of these.
async fn a_sweep_misses_nothing_while_others_take_entries(flow: Flow) {
    retries(&flow).await;
    let set = flow.api().retries();
    let is_seventh = |entry: &SortedEntry| entry.jid().as_str().ends_with('7');
    let mut sweep = set.delete_all().matching(is_seventh);
    while sweep.next().await.unwrap().is_some() {
        for entry in flow.timed(TimedSet::Retry).await.into_iter().take(20) {
            apply(&flow, vec![take(TimedSet::Retry, entry.payload)]).await;
        }
    }
    let rest = set.page(Order::Forward, 0, 1_000).await.unwrap().entries;
    assert!(rest.len() > 100, "{} are left", rest.len());
    let missed: Vec<_> = rest.iter().filter(|entry| is_seventh(entry)).collect();
    assert!(missed.is_empty(), "{missed:?}");
}

async fn what_is_gone_is_counted(flow: Flow) {
    put(&flow, TimedSet::Retry, &[("a", 1), ("b", 2), ("c", 3)]).await;
    let set = flow.api().retries();
    let taken = set.find("b").await.unwrap().unwrap();
    let runtime = tokio::runtime::Handle::current();
    // Somebody deletes an entry after it was read.
    let faster = move |entry: &SortedEntry| {
        if entry.jid() == taken.jid() {
            let delete = || runtime.block_on(set.delete(&taken));
            assert!(tokio::task::block_in_place(delete).unwrap().is_done());
        }
        true
    };
    let progress = run(flow.api().retries().kill_all().matching(faster)).await;
    assert_eq!(counts(&progress), (3, 2, 1, 0));
    assert_eq!(flow.api().dead().size().await.unwrap(), 2);
}

async fn what_makes_no_sense_is_refused_before_anything_is_done(flow: Flow) {
    put(&flow, TimedSet::Dead, &[("a", 1)]).await;
    let dead = flow.api().dead();
    assert!(invalid(dead.kill_all().finish().await).contains("it is dead"));
    assert!(invalid(dead.reschedule_all(flow.now()).finish().await).contains("retry it"));
    let late = Timestamp::from_millis(i64::MAX);
    let scheduled = flow.api().scheduled();
    assert!(invalid(scheduled.reschedule_all(late).finish().await).contains("100 years"));
    assert_eq!(dead.size().await.unwrap(), 1);
}

async fn a_sweep_of_nothing_does_nothing(flow: Flow) {
    let mut sweep = flow.api().dead().retry_all();
    assert_eq!(sweep.next().await.unwrap(), None);
    let progress = flow.api().dead().retry_all().finish().await.unwrap();
    assert_eq!(progress, Progress::default());
}

flows! {
    all_are_retried_but_what_is_no_job
    all_are_added_to_their_queues
    all_are_killed
    all_are_deleted
    all_are_moved_to_one_time
    only_what_matches_is_acted_on
    a_sweep_ends_while_jobs_come_back
    a_sweep_misses_nothing_while_others_take_entries
    what_is_gone_is_counted
    what_makes_no_sense_is_refused_before_anything_is_done
    a_sweep_of_nothing_does_nothing
}
