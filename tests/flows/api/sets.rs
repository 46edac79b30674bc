//! The schedule, the retry set and the dead set: one entry at a time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use sancho::api::{Acted, JobSet, SortedEntry};
use sancho::engine::Death;
use sancho::job::payload::Wire;
use sancho::job::{FARTHEST, Timestamp};
use sancho::store::{Order, TimedSet};
use sancho_tests::effects::{take, timed};

use super::{apply, invalid, jid, ms, payload, put};
use crate::harness::{Flow, field, flows};

/// A retry of 8, whose fields stand in an order of their own.
const RETRY: &str = r#"{"retry":5,"queue":"critical","x":12345678901234567890,"args":[1.0e+20],"class":"FailJob","jid":"80aa","created_at":1795469303553,"enqueued_at":1795469303553,"error_message":"boom é","error_class":"ArgumentError","failed_at":1795469303994,"retry_count":0}"#;

/// What else may stand in a set.
const NO_JOB: &[u8] = b"{bad \xff json";

fn jids(entries: &[SortedEntry]) -> Vec<String> {
    entries.iter().map(|entry| jid(entry)).collect()
}

/// Puts a payload into a set, and sees it there.
async fn seen(flow: &Flow, set: TimedSet, payload: &'static [u8]) -> (JobSet, SortedEntry) {
    let at = flow.now().after(Duration::from_secs(9));
    apply(flow, vec![timed(set, at, payload)]).await;
    let set = flow.api().set(set);
    let mut page = set.page(Order::Backward, 0, 1).await.unwrap();
    (set, page.entries.remove(0))
}

async fn a_set_is_paged_both_ways(flow: Flow) {
    let api = flow.api();
    put(&flow, TimedSet::Schedule, &[("b", 2), ("a", 1), ("c", 3)]).await;
    let set = api.scheduled();
    assert_eq!((set.name(), set.size().await.unwrap()), ("schedule", 3));
    assert_eq!(api.retries().size().await.unwrap(), 0);
    assert_eq!(api.dead().size().await.unwrap(), 0);
    let first = set.page(Order::Forward, 0, 2).await.unwrap();
    assert_eq!(jids(&first.entries), ["a", "b"]);
    assert_eq!(
        first.entries[0].at(),
        flow.now().after(Duration::from_secs(1))
    );
    let last = set
        .page(Order::Forward, first.next.unwrap(), 2)
        .await
        .unwrap();
    assert_eq!((jids(&last.entries), last.next), (vec!["c".into()], None));
    let backward = set.page(Order::Backward, 0, 9).await.unwrap();
    assert_eq!(jids(&backward.entries), ["c", "b", "a"]);
    let beyond = set.page(Order::Backward, 3, 9).await.unwrap();
    assert!(beyond.entries.is_empty() && beyond.next.is_none());
    invalid(set.page(Order::Forward, 0, 0).await);
}

async fn each_sees_all(flow: Flow) {
    let ids: Vec<String> = (0..250).map(|n| format!("{n:03}")).collect();
    let jids: Vec<(&str, u64)> = ids.iter().map(|id| &**id).zip(1..).collect();
    put(&flow, TimedSet::Retry, &jids).await;
    let set = flow.api().retries();
    let mut each = set.each();
    let mut seen = Vec::new();
    while let Some(entry) = each.next().await.unwrap() {
        seen.push(jid(&entry));
        assert_eq!(set.delete(&entry).await.unwrap(), Acted::Done);
    }
    seen.reverse();
    assert_eq!(seen, ids);
    assert_eq!(set.size().await.unwrap(), 0);
}

async fn a_text_is_looked_for_part_by_part(flow: Flow) {
    let ids: Vec<String> = (0..300).map(|n| format!("id-{n:03}")).collect();
    let jids: Vec<(&str, u64)> = ids.iter().map(|id| &**id).zip(1..).collect();
    put(&flow, TimedSet::Dead, &jids).await;
    let set = flow.api().dead();
    let (mut found, mut parts, mut cursor) = (Vec::new(), 0, Some(0));
    while let Some(from) = cursor {
        let scan = set.scan("id-29", from, 50).await.unwrap();
        assert_eq!(scan.looked_at, 50);
        found.extend(scan.entries.iter().map(|entry| jid(entry)));
        (parts, cursor) = (parts + 1, scan.next);
    }
    found.sort();
    found.dedup();
    assert_eq!(found, ids[290..]);
    assert!(parts > 1, "a look is bounded");
    let nothing = set.scan("[*]?\\", 0, 1_000).await.unwrap();
    assert!(nothing.entries.is_empty());
    assert_eq!(
        invalid(set.scan("", 0, 10).await),
        "the text to look for is empty"
    );
    invalid(set.scan("x", 0, 0).await);
}

async fn an_entry_is_found_by_job_by_time_and_by_name(flow: Flow) {
    put(
        &flow,
        TimedSet::Retry,
        &[("one", 1), ("two", 1), ("three", 2), ("quo\\\"te", 3)],
    )
    .await;
    let set = flow.api().retries();
    let at = flow.now().after(Duration::from_secs(1));
    assert_eq!(
        jids(&set.fetch(at, None).await.unwrap()),
        ["one", "two"],
        "all of one time"
    );
    assert_eq!(
        jids(&set.fetch(at, Some("two")).await.unwrap()),
        ["two"],
        "one of them"
    );
    assert!(set.fetch(at, Some("three")).await.unwrap().is_empty());
    let two = set.find("two").await.unwrap().unwrap();
    assert_eq!((two.at(), two.set()), (at, TimedSet::Retry));
    let again = set.entry(&two.id()).await.unwrap().unwrap();
    assert_eq!(again.payload(), two.payload());
    assert!(set.find("quo\"te").await.unwrap().is_some());
    for unknown in ["tw", "four", "two\""] {
        assert!(set.find(unknown).await.unwrap().is_none(), "{unknown}");
    }
    assert!(set.entry("1.5|two").await.unwrap().is_none());
    assert!(invalid(set.entry("two").await).contains("names no entry"));
    assert_eq!(invalid(set.find("").await), "the id of a job is empty");
}

async fn a_retry_by_hand_does_not_count(flow: Flow) {
    let (set, entry) = seen(&flow, TimedSet::Retry, RETRY.as_bytes()).await;
    assert_eq!(set.retry(&entry).await.unwrap(), Acted::Done);
    let now = flow.now().as_millis();
    let expected = RETRY
        .replace("\"retry_count\":0", "\"retry_count\":-1")
        .replace(
            "\"enqueued_at\":1795469303553",
            &format!("\"enqueued_at\":{now}"),
        );
    assert_eq!(flow.queue("critical").await, [expected]);
    assert_eq!(set.size().await.unwrap(), 0);
    let queues = flow.api().queues().await.unwrap();
    assert_eq!((&*queues[0].name, queues[0].size), ("critical", 1));
    assert_eq!(set.retry(&entry).await.unwrap(), Acted::Gone);
    assert_eq!(flow.queue("critical").await.len(), 1);
}

async fn two_who_retry_one_entry_push_it_once(flow: Flow) {
    let (set, entry) = seen(&flow, TimedSet::Dead, RETRY.as_bytes()).await;
    let (one, other) = tokio::join!(set.retry(&entry), set.retry(&entry));
    let done = [one.unwrap(), other.unwrap()];
    assert_eq!(done.iter().filter(|acted| acted.is_done()).count(), 1);
    assert_eq!(flow.queue("critical").await.len(), 1);
}

async fn two_who_delete_one_entry_are_told_apart(flow: Flow) {
    let (set, entry) = seen(&flow, TimedSet::Retry, RETRY.as_bytes()).await;
    let (one, other) = tokio::join!(set.delete(&entry), set.delete(&entry));
    let done = [one.unwrap(), other.unwrap()];
    assert_eq!(done.iter().filter(|acted| acted.is_done()).count(), 1);
    assert_eq!(set.size().await.unwrap(), 0);
}

async fn a_job_is_added_to_its_queue_as_it_is(flow: Flow) {
    let scheduled = br#"{"retry":true,"class":"A","args":["later"],"jid":"7e40","at":5.5,"retry_count":3,"created_at":1795469264490.5}"#;
    let (_, entry) = seen(&flow, TimedSet::Schedule, scheduled).await;
    let set = flow
        .api()
        .sidekiq_wire(Wire::Sidekiq7)
        .set(TimedSet::Schedule);
    assert_eq!(set.add_to_queue(&entry).await.unwrap(), Acted::Done);
    let pushed = flow.queue("default").await;
    let seconds = Wire::Sidekiq7.time(flow.now());
    assert_eq!(
        pushed,
        [format!(
            r#"{{"retry":true,"class":"A","args":["later"],"jid":"7e40","retry_count":3,"created_at":1795469264490.5,"enqueued_at":{seconds}}}"#
        )]
    );
    assert_eq!(set.add_to_queue(&entry).await.unwrap(), Acted::Gone);
}

async fn an_entry_is_moved_to_another_time(flow: Flow) {
    let (set, entry) = seen(&flow, TimedSet::Schedule, RETRY.as_bytes()).await;
    let at = flow.now().after(Duration::from_secs(99));
    assert_eq!(set.reschedule(&entry, at).await.unwrap(), Acted::Done);
    let stands = flow.timed(TimedSet::Schedule).await;
    assert_eq!(stands.len(), 1);
    assert_eq!(
        (stands[0].at, &stands[0].payload),
        (Some(at), entry.payload())
    );
    apply(
        &flow,
        vec![take(TimedSet::Schedule, entry.payload().clone())],
    )
    .await;
    assert_eq!(set.reschedule(&entry, at).await.unwrap(), Acted::Gone);
    assert!(flow.timed(TimedSet::Schedule).await.is_empty());
    let late = flow.now().after(FARTHEST + Duration::from_secs(1));
    assert!(invalid(set.reschedule(&entry, late).await).contains("100 years"));
    let year_10_000 = Timestamp::from_millis(253_402_300_800_000);
    assert!(invalid(set.put(year_10_000, RETRY).await).contains("9999"));
    let (dead, entry) = seen(&flow, TimedSet::Dead, RETRY.as_bytes()).await;
    assert!(invalid(dead.reschedule(&entry, at).await).contains("retry it"));
}

async fn a_job_is_killed_byte_for_byte(flow: Flow) {
    let (set, entry) = seen(&flow, TimedSet::Retry, RETRY.as_bytes()).await;
    assert_eq!(set.kill(&entry).await.unwrap(), Acted::Done);
    assert_eq!(set.kill(&entry).await.unwrap(), Acted::Gone);
    let dead = flow.timed(TimedSet::Dead).await;
    assert_eq!((dead.len(), dead[0].at), (1, Some(flow.now())));
    assert_eq!(dead[0].payload, RETRY);
    let set = flow.api().dead();
    let entry = set.find("80aa").await.unwrap().unwrap();
    assert!(invalid(set.kill(&entry).await).contains("it is dead"));
}

async fn who_kills_a_job_tells_the_death_handlers_once(flow: Flow) {
    let (_, entry) = seen(&flow, TimedSet::Retry, RETRY.as_bytes()).await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let handler = {
        let told = told.clone();
        move |death: &Death<'_>| {
            let text = format!("{} {}", death.class(), death.error_class());
            told.lock().unwrap().push(text);
        }
    };
    let set = flow.api().death_handler(handler).retries();
    assert_eq!(set.kill(&entry).await.unwrap(), Acted::Done);
    assert_eq!(set.kill(&entry).await.unwrap(), Acted::Gone);
    assert_eq!(*told.lock().unwrap(), ["FailJob sancho::Killed"]);
}

async fn killing_keeps_the_dead_set_within_its_limits(flow: Flow) {
    let old = flow.now().before(Duration::from_secs(101));
    let ago = |seconds| flow.now().before(Duration::from_secs(seconds));
    apply(
        &flow,
        vec![
            timed(TimedSet::Dead, old, payload("old")),
            timed(TimedSet::Dead, ago(50), payload("1")),
            timed(TimedSet::Dead, ago(40), payload("2")),
        ],
    )
    .await;
    let (_, entry) = seen(&flow, TimedSet::Retry, RETRY.as_bytes()).await;
    let api = flow.api().dead_set_limits(3, Duration::from_secs(100));
    assert_eq!(api.retries().kill(&entry).await.unwrap(), Acted::Done);
    let dead = api.dead().page(Order::Forward, 0, 9).await.unwrap();
    assert_eq!(jids(&dead.entries), ["2", "80aa"]);
}

async fn what_is_no_job_is_shown_killed_and_deleted_but_not_retried(flow: Flow) {
    let (set, entry) = seen(&flow, TimedSet::Retry, NO_JOB).await;
    assert_eq!(entry.text(), "{bad \u{fffd} json");
    assert!(invalid(set.retry(&entry).await).contains("not a job"));
    assert!(invalid(set.add_to_queue(&entry).await).contains("not a job"));
    let at = flow.now().after(Duration::from_secs(5));
    assert_eq!(set.reschedule(&entry, at).await.unwrap(), Acted::Done);
    assert_eq!(set.kill(&entry).await.unwrap(), Acted::Done);
    let dead = flow.api().dead();
    let entry = dead.each().next().await.unwrap().unwrap();
    assert_eq!(entry.payload(), NO_JOB);
    let named = dead.entry(&entry.id()).await.unwrap().unwrap();
    assert_eq!(dead.delete(&named).await.unwrap(), Acted::Done);
    assert_eq!(dead.size().await.unwrap(), 0);
}

async fn a_payload_is_put_at_a_time(flow: Flow) {
    let api = flow.api();
    let at = ms(1_795_469_304_010);
    api.scheduled().put(at, RETRY).await.unwrap();
    let stands = flow.timed(TimedSet::Schedule).await;
    assert_eq!(
        (stands[0].at, &stands[0].payload[..]),
        (Some(at), RETRY.as_bytes())
    );
    invalid(api.retries().put(at, "{bad json").await);
    let bad = Bytes::from_static(NO_JOB);
    api.dead().put(at, bad).await.unwrap();
    assert_eq!(api.dead().size().await.unwrap(), 1);
}

async fn a_set_is_cleared(flow: Flow) {
    put(&flow, TimedSet::Retry, &[("a", 1), ("b", 2)]).await;
    put(&flow, TimedSet::Dead, &[("c", 1)]).await;
    flow.api().retries().clear().await.unwrap();
    assert_eq!(flow.api().retries().size().await.unwrap(), 0);
    assert_eq!(flow.api().dead().size().await.unwrap(), 1);
}

async fn a_retry_of_an_older_version_keeps_its_form(flow: Flow) {
    let seven = br#"{"class":"A","args":[],"jid":"63c7","queue":"low","created_at":1795469481.0779636,"retry_count":2,"failed_at":1795469482.5}"#;
    let (set, entry) = seen(&flow, TimedSet::Retry, seven).await;
    assert_eq!(entry.failed_at(), Some(ms(1_795_469_482_500)));
    assert_eq!(set.retry(&entry).await.unwrap(), Acted::Done);
    let pushed = flow.queue("low").await;
    assert!(pushed[0].starts_with(
        r#"{"class":"A","args":[],"jid":"63c7","queue":"low","created_at":1795469481.0779636,"retry_count":1,"#
    ));
    assert_eq!(
        field(pushed[0].as_bytes(), "enqueued_at"),
        flow.now().as_millis()
    );
}

flows! {
    a_set_is_paged_both_ways
    each_sees_all
    a_text_is_looked_for_part_by_part
    an_entry_is_found_by_job_by_time_and_by_name
    a_retry_by_hand_does_not_count
    two_who_retry_one_entry_push_it_once
    two_who_delete_one_entry_are_told_apart
    a_job_is_added_to_its_queue_as_it_is
    an_entry_is_moved_to_another_time
    a_job_is_killed_byte_for_byte
    who_kills_a_job_tells_the_death_handlers_once
    killing_keeps_the_dead_set_within_its_limits
    what_is_no_job_is_shown_killed_and_deleted_but_not_retried
    a_payload_is_put_at_a_time
    a_set_is_cleared
    a_retry_of_an_older_version_keeps_its_form
}
