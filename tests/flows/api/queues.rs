//! Queues.

use std::time::Duration;

use sancho::api::Acted;
use sancho::store::{Members, Order};
use sancho_tests::effects::{head, tail};

use super::{apply, invalid, jid, payload, push};
use crate::harness::{Flow, flows};

async fn queues_tell_their_size_latency_and_pause(flow: Flow) {
    let api = flow.api();
    assert_eq!(api.queues().await.unwrap(), []);
    let waited = flow.now().before(Duration::from_millis(1_500)).as_millis();
    let seven = flow.now().before(Duration::from_secs(2)).as_millis() / 1_000;
    apply(
        &flow,
        vec![
            tail("a", format!(r#"{{"enqueued_at":{waited}}}"#)),
            tail("a", payload("2")),
            tail("b", format!(r#"{{"enqueued_at":{seven}.0}}"#)),
            tail("c", "{bad json"),
        ],
    )
    .await;
    api.queue("b").unwrap().pause().await.unwrap();
    api.queue("nobody").unwrap().pause().await.unwrap();

    let queues = api.queues().await.unwrap();
    let seen: Vec<_> = queues
        .iter()
        .map(|queue| (&*queue.name, queue.size, queue.paused))
        .collect();
    assert_eq!(
        seen,
        [
            ("a", 2, false),
            ("b", 1, true),
            ("c", 1, false),
            ("nobody", 0, true)
        ]
    );
    let a = api.queue("a").unwrap();
    let latency = queues[0].latency.as_millis();
    assert!((1_500..1_502).contains(&latency), "{latency}");
    assert_eq!(a.latency().await.unwrap(), queues[0].latency);
    assert!((2..4).contains(&queues[1].latency.as_secs()));
    assert_eq!(queues[2].latency, Duration::ZERO);
    assert_eq!(a.summary().await.unwrap(), queues[0]);
    assert_eq!((a.name(), a.size().await.unwrap()), ("a", 2));
    let unknown = api.queue("unknown").unwrap();
    assert_eq!(unknown.size().await.unwrap(), 0);
    assert_eq!(unknown.latency().await.unwrap(), Duration::ZERO);
}

async fn a_queue_is_paged_both_ways(flow: Flow) {
    push(&flow, "q", &["1", "2", "3"]).await;
    let queue = flow.api().queue("q").unwrap();
    let first = queue.page(Order::Forward, 0, 2).await.unwrap();
    assert_eq!(first.jobs.iter().map(jid).collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(first.jobs[0].queue(), "q");
    let last = queue
        .page(Order::Forward, first.next.unwrap(), 2)
        .await
        .unwrap();
    assert_eq!(last.jobs.iter().map(jid).collect::<Vec<_>>(), ["3"]);
    assert_eq!(last.next, None);
    let backward = queue.page(Order::Backward, 0, 2).await.unwrap();
    assert_eq!(
        backward.jobs.iter().map(jid).collect::<Vec<_>>(),
        ["3", "2"]
    );
    let beyond = queue.page(Order::Forward, 99, 2).await.unwrap();
    assert!(beyond.jobs.is_empty() && beyond.next.is_none());
}

async fn what_makes_no_sense_is_refused(flow: Flow) {
    let api = flow.api();
    assert_eq!(invalid(api.queue("")), "the name of a queue is empty");
    let queue = api.queue("q").unwrap();
    for limit in [0, 1_001, usize::MAX] {
        let error = invalid(queue.page(Order::Forward, 0, limit).await);
        assert!(error.ends_with("ask for 1 to 1000"), "{error}");
    }
    assert_eq!(invalid(queue.find("").await), "the id of a job is empty");
    for bad in ["{bad json", "[]", "{}"] {
        let error = invalid(queue.put(bad).await);
        assert!(error.contains("not a job"), "{error}");
    }
    assert_eq!(api.queues().await.unwrap(), []);
}

async fn each_sees_what_stays_while_the_queue_changes(flow: Flow) {
    let mut ids: Vec<String> = (0..350).map(|n| format!("{n:03}")).collect();
    let jids: Vec<&str> = ids.iter().map(|id| &**id).collect();
    push(&flow, "q", &jids).await;
    let queue = flow.api().queue("q").unwrap();
    let mut jobs = queue.each();
    let mut seen = Vec::new();
    while let Some(job) = jobs.next().await.unwrap() {
        seen.push(jid(&job));
        // Every other one goes when it was seen; others come, and workers take from the head.
        if seen.len() % 2 == 0 {
            assert_eq!(queue.delete(&job).await.unwrap(), Acted::Done);
        }
        if seen.len() % 50 == 0 {
            let new: Vec<String> = (0..20).map(|n| format!("new{}{n}", seen.len())).collect();
            push(&flow, "q", &new.iter().map(|id| &**id).collect::<Vec<_>>()).await;
            let next = queue.page(Order::Forward, 0, 1).await.unwrap();
            assert_eq!(queue.delete(&next.jobs[0]).await.unwrap(), Acted::Done);
        }
    }
    let taken = 7;
    seen.retain(|jid| !jid.starts_with("new"));
    let mut expected = ids.split_off(taken);
    expected.reverse();
    let mut once = seen.clone();
    once.dedup();
    assert_eq!(once, seen, "one is not seen twice");
    assert!(
        expected.iter().all(|jid| seen.contains(jid)),
        "missing: {:?}",
        expected
            .iter()
            .filter(|jid| !seen.contains(jid))
            .collect::<Vec<_>>()
    );
}

async fn a_job_is_found_and_deleted_once(flow: Flow) {
    let ids: Vec<String> = (0..250).map(|n| format!("{n}")).collect();
    push(&flow, "q", &ids.iter().map(|id| &**id).collect::<Vec<_>>()).await;
    let queue = flow.api().queue("q").unwrap();
    assert!(queue.find("250").await.unwrap().is_none());
    let job = queue.find("7").await.unwrap().unwrap();
    assert_eq!(job.display_args(), ["\"7\""]);
    let (one, other) = tokio::join!(queue.delete(&job), queue.delete(&job));
    let mut both = [one.unwrap(), other.unwrap()];
    both.sort_by_key(|acted| !acted.is_done());
    assert_eq!(both, [Acted::Done, Acted::Gone]);
    assert_eq!(queue.size().await.unwrap(), 249);
    assert!(queue.find("7").await.unwrap().is_none());
}

async fn a_job_that_is_no_job_is_shown_and_deleted(flow: Flow) {
    flow.push_raw("q", b"{bad \xff json").await;
    let queue = flow.api().queue("q").unwrap();
    let job = queue.each().next().await.unwrap().unwrap();
    assert_eq!(job.text(), "{bad \u{fffd} json");
    assert!(job.problem().is_some());
    assert_eq!(queue.delete(&job).await.unwrap(), Acted::Done);
    assert_eq!(queue.size().await.unwrap(), 0);
}

async fn a_job_is_moved_to_the_head(flow: Flow) {
    push(&flow, "q", &["1", "2", "3"]).await;
    let queue = flow.api().queue("q").unwrap();
    let third = queue.find("3").await.unwrap().unwrap();
    assert_eq!(queue.run_next(&third).await.unwrap(), Acted::Done);
    let expected = ["3", "1", "2"].map(payload);
    assert_eq!(flow.queue("q").await, expected);
    let _ = queue.delete(&third).await.unwrap();
    assert_eq!(queue.run_next(&third).await.unwrap(), Acted::Gone);
    assert_eq!(flow.queue("q").await, expected[1..]);
}

async fn a_payload_is_put_byte_for_byte(flow: Flow) {
    let odd = r#" {"class" : "A","args":[1.0e+20],"x":12345678901234567890} "#;
    let queue = flow.api().queue("q").unwrap();
    queue.put(odd).await.unwrap();
    assert_eq!(flow.queue("q").await, [odd]);
}

async fn clearing_forgets_the_queue(flow: Flow) {
    push(&flow, "q", &["1", "2"]).await;
    push(&flow, "other", &["3"]).await;
    let api = flow.api();
    let queue = api.queue("q").unwrap();
    queue.clear().await.unwrap();
    let queues = api.queues().await.unwrap();
    assert_eq!((queues.len(), &*queues[0].name), (1, "other"));
    // A pushed job makes it known again.
    apply(&flow, vec![head("q", payload("4"))]).await;
    assert_eq!(queue.size().await.unwrap(), 1);
    flow.api().queue("never").unwrap().clear().await.unwrap();
}

async fn a_queue_is_paused_and_resumed(flow: Flow) {
    let queue = flow.api().queue("q").unwrap();
    queue.pause().await.unwrap();
    queue.pause().await.unwrap();
    assert!(queue.is_paused().await.unwrap());
    assert_eq!(flow.store().members(Members::Paused).await.unwrap(), ["q"]);
    queue.unpause().await.unwrap();
    assert!(!queue.is_paused().await.unwrap());
}

flows! {
    queues_tell_their_size_latency_and_pause
    a_queue_is_paged_both_ways
    what_makes_no_sense_is_refused
    each_sees_what_stays_while_the_queue_changes
    a_job_is_found_and_deleted_once
    a_job_that_is_no_job_is_shown_and_deleted
    a_job_is_moved_to_the_head
    a_payload_is_put_byte_for_byte
    clearing_forgets_the_queue
    a_queue_is_paused_and_resumed
}
