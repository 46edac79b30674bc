//! The doctor names what is wrong with jobs, mends it, and has no false alarms.

use std::time::{Duration, Instant};

use bytes::Bytes;
use sancho::api::doctor::{Mended, RECOVERY, Report, Spot, Violation};
use sancho::api::{doctor, mend};
use sancho::job;
use sancho::store::{
    Batch, Claim, ClaimRequest, Effect, End, Lane, Members, Owner, Place, PlaceName, Registration,
    Source, TimedSet, Tx,
};
use sancho_tests::LEASE;

use crate::harness::{Flow, Report as To, Running, field, flows};

#[job(queue = "mails", retry = 3)]
async fn mail(n: u32, #[state] to: &To) -> Result<(), String> {
    to.send(n.to_string()).unwrap();
    if n.is_multiple_of(3) {
        return Err("no mail".into());
    }
    Ok(())
}

fn payload(jid: &str) -> Bytes {
    format!(r#"{{"class":"Mail","args":[1],"jid":"{jid}","queue":"mails","retry":3}}"#).into()
}

/// The same job after it has failed.
fn failed(jid: &str) -> Bytes {
    format!(
        r#"{{"class":"Mail","args":[1],"jid":"{jid}","queue":"mails","retry":3,"retry_count":0}}"#
    )
    .into()
}

async fn put(flow: &Flow, payload: &Bytes, place: PlaceName) {
    let place = match place {
        PlaceName::Queue(name) => Place::Queue {
            name,
            end: End::Tail,
        },
        PlaceName::Timed(set) => Place::Timed {
            set,
            at: flow.now().after(RECOVERY * 10),
        },
    };
    apply(flow, Effect::Put(payload.clone(), place)).await;
}

async fn apply(flow: &Flow, effect: Effect) {
    let batch = Batch {
        lane: Lane::random(),
        seq: 1,
        txs: vec![Tx::always(vec![effect])],
    };
    flow.store().commit(&batch).await.unwrap();
}

async fn owner(flow: &Flow) -> Owner {
    let owner = Owner::random();
    flow.store()
        .renew(&owner, LEASE, Registration::First)
        .await
        .unwrap();
    owner
}

async fn claim(flow: &Flow, owner: &Owner, seq: u64, limit: usize) {
    let sources = vec![Source {
        queue: "mails".into(),
        share: 0,
    }];
    let request = ClaimRequest {
        owner: owner.clone(),
        seq,
        sources,
        limit,
    };
    let claim = flow.store().claim(&request).await.unwrap();
    assert!(matches!(claim, Claim::Taken { jobs, .. } if jobs.len() == limit));
}

async fn report(flow: &Flow) -> Report {
    doctor(&flow.client).await.unwrap()
}

/// The one thing that is wrong. Its text is one line, whatever is in it.
async fn violation(flow: &Flow, name: &str) -> Violation {
    let mut report = report(flow).await;
    assert_eq!(report.violations.len(), 1, "{report}");
    let violation = report.violations.remove(0);
    assert_eq!(violation.name(), name, "{violation}");
    assert!(!violation.to_string().contains('\n'), "{violation}");
    violation
}

/// Mends it, and finds it gone.
async fn heals(flow: &Flow, violation: &Violation) {
    let mended = mend(&flow.client, violation).await.unwrap();
    assert_eq!(mended, Mended::Done, "{violation}");
    is_healthy(flow).await;
    let mended = mend(&flow.client, violation).await.unwrap();
    assert_eq!(mended, Mended::Gone, "{violation}");
    is_healthy(flow).await;
}

async fn is_healthy(flow: &Flow) {
    let report = report(flow).await;
    assert!(
        report.is_sound() && report.violations.is_empty(),
        "{report}"
    );
}

fn mails() -> PlaceName {
    PlaceName::queue("mails")
}

async fn a_job_in_a_queue_and_a_set_leaves_the_set(flow: Flow) {
    put(&flow, &payload("a"), mails()).await;
    for set in TimedSet::ALL {
        put(&flow, &failed("a"), set.into()).await;
        let twice = violation(&flow, "job-twice").await;
        assert!(!twice.is_note());
        assert!(
            matches!(&twice, Violation::Twice { surplus: Spot::Place(place, _), .. } if *place == set.into()),
            "{twice}"
        );
        heals(&flow, &twice).await;
        assert_eq!(flow.queue("mails").await.len(), 1);
    }
}

async fn a_job_that_is_claimed_leaves_every_other_place(flow: Flow) {
    put(&flow, &payload("a"), mails()).await;
    let owner = owner(&flow).await;
    claim(&flow, &owner, 1, 1).await;
    put(&flow, &payload("a"), mails()).await;
    let twice = violation(&flow, "job-twice").await;
    heals(&flow, &twice).await;
    assert_eq!(flow.queue("mails").await.len(), 0);
    assert_eq!(flow.store().claims(&owner, 9).await.unwrap().len(), 1);
}

async fn a_job_in_two_hands_stays_with_the_one_that_lives_longer(flow: Flow) {
    let (first, second) = (owner(&flow).await, owner(&flow).await);
    for owner in [&first, &second] {
        put(&flow, &payload("a"), mails()).await;
        claim(&flow, owner, 1, 1).await;
    }
    flow.pass(Duration::from_secs(1));
    flow.store()
        .renew(&second, LEASE, Registration::Known)
        .await
        .unwrap();
    let twice = violation(&flow, "job-twice").await;
    heals(&flow, &twice).await;
    assert_eq!(flow.store().claims(&first, 9).await.unwrap().len(), 0);
    assert_eq!(flow.store().claims(&second, 9).await.unwrap().len(), 1);
}

async fn a_job_that_stands_twice_in_a_queue_stands_there_once(flow: Flow) {
    put(&flow, &payload("a"), mails()).await;
    put(&flow, &payload("b"), mails()).await;
    put(&flow, &payload("a"), mails()).await;
    let twice = violation(&flow, "job-twice").await;
    heals(&flow, &twice).await;
    assert_eq!(flow.queue("mails").await.len(), 2);
    put(&flow, &failed("b"), PlaceName::queue("others")).await;
    let twice = violation(&flow, "job-twice").await;
    heals(&flow, &twice).await;
}

async fn two_jobs_with_one_id_are_a_note_and_left_alone(flow: Flow) {
    put(&flow, &payload("a"), mails()).await;
    let other = Bytes::from_static(br#"{"class":"Mail","args":[2],"jid":"a","queue":"mails"}"#);
    put(&flow, &other, mails()).await;
    assert!(report(&flow).await.is_sound());
    let twice = violation(&flow, "job-twice").await;
    let mended = mend(&flow.client, &twice).await.unwrap();
    assert!(matches!(mended, Mended::Left { .. }));
    assert_eq!(flow.queue("mails").await.len(), 2);
}

async fn jobs_that_nobody_takes_over_are_put_back_in_order(flow: Flow) {
    for jid in ["a", "b", "c"] {
        put(&flow, &payload(jid), mails()).await;
    }
    let (dead, living) = (owner(&flow).await, owner(&flow).await);
    claim(&flow, &dead, 1, 2).await;
    flow.pass(LEASE + RECOVERY);
    is_healthy(&flow).await;
    flow.pass(Duration::from_millis(1));
    let abandoned = violation(&flow, "abandoned-claims").await;
    assert!(abandoned.is_note(), "nobody is there who could have");
    flow.store()
        .renew(&living, LEASE, Registration::Known)
        .await
        .unwrap();
    let abandoned = violation(&flow, "abandoned-claims").await;
    assert!(!abandoned.is_note() && !report(&flow).await.is_sound());
    heals(&flow, &abandoned).await;
    let queue = flow.queue("mails").await;
    let jids: Vec<_> = queue
        .iter()
        .map(|job| field(job.as_bytes(), "jid"))
        .collect();
    assert_eq!(jids, ["a", "b", "c"]);
    let recoveries = field(queue[0].as_bytes(), "sancho_recoveries");
    assert_eq!(recoveries["count"], 1);
    assert_eq!(
        field(queue[2].as_bytes(), "sancho_recoveries"),
        field(b"{}", "x")
    );
}

async fn an_entry_that_is_no_job_goes_to_the_dead_set(flow: Flow) {
    for bytes in [&b"\x1b[31m\nno"[..], b"{}", b"\xff\xfe"] {
        let bytes = Bytes::from_static(bytes);
        put(&flow, &bytes, TimedSet::Retry.into()).await;
        let no_job = violation(&flow, "no-job").await;
        assert!(!no_job.is_note());
        assert_eq!(mend(&flow.client, &no_job).await.unwrap(), Mended::Done);
        is_healthy(&flow).await;
        let dead = flow.timed(TimedSet::Dead).await;
        assert!(dead.iter().any(|entry| entry.payload == bytes));
    }
    assert_eq!(flow.timed(TimedSet::Dead).await.len(), 3);
}

async fn a_process_that_tells_nothing_of_itself_is_taken_off_the_list(flow: Flow) {
    apply(
        &flow,
        Effect::Join(Members::Processes, "host:1:\x1b[0m\n".into()),
    )
    .await;
    let gone = violation(&flow, "gone-process").await;
    assert!(gone.is_note());
    heals(&flow, &gone).await;
}

async fn a_pause_without_a_queue_is_a_note_and_stays(flow: Flow) {
    apply(&flow, Effect::Join(Members::Paused, "mails".into())).await;
    let paused = violation(&flow, "paused-without-queue").await;
    assert!(paused.is_note() && report(&flow).await.is_sound());
    let mended = mend(&flow.client, &paused).await.unwrap();
    assert!(matches!(mended, Mended::Left { .. }));
    put(&flow, &payload("a"), mails()).await;
    is_healthy(&flow).await;
}

async fn ten_thousand_jobs_are_looked_at_in_a_moment(flow: Flow) {
    let puts = |jids: std::ops::Range<u32>| {
        jids.map(|jid| {
            Effect::Put(
                payload(&jid.to_string()),
                Place::Queue {
                    name: format!("mails{}", jid % 7).into(),
                    end: End::Tail,
                },
            )
        })
    };
    for first in (0..10_000).step_by(1_000) {
        let batch = Batch {
            lane: Lane::random(),
            seq: 1,
            txs: vec![Tx::always(puts(first..first + 1_000).collect())],
        };
        flow.store().commit(&batch).await.unwrap();
    }
    let start = Instant::now();
    let report = report(&flow).await;
    let took = start.elapsed();
    assert!(
        report.is_sound() && report.violations.is_empty(),
        "{report}"
    );
    assert_eq!(report.payloads, 10_000);
    // Far longer than it takes.
    assert!(took < Duration::from_secs(20), "{took:?}");
    println!("looked at 10,000 jobs in {took:?}");
}

async fn there_is_no_false_alarm_beside_a_load_and_nothing_to_find_after_it(flow: Flow) {
    const ROUNDS: u32 = 15;
    const JOBS: u32 = 60;
    let (server, _reports) = flow.server();
    let (another, _more) = flow.server();
    let servers = [server, another]
        .map(|server| Running::start(server.queues(["mails"]).concurrency(5).only::<mail>()));
    for round in 0..ROUNDS {
        let jobs = round * JOBS..(round + 1) * JOBS;
        let now = mail::set().client(&flow.client);
        now.perform_bulk(jobs.clone()).await.unwrap();
        let later = mail::set().client(&flow.client);
        let later = later.wait(Duration::from_secs(1));
        later.perform_bulk(jobs).await.unwrap();
        flow.pass(Duration::from_millis(500));
        let looked = report(&flow).await;
        assert!(
            looked.is_sound() && looked.violations.is_empty(),
            "round {round}: {looked}"
        );
    }
    flow.pass(Duration::from_secs(1));
    flow.until("all have run", || async {
        let looked = report(&flow).await;
        assert!(
            looked.is_sound() && looked.violations.is_empty(),
            "{looked}"
        );
        flow.counters().await.0 == u64::from(2 * ROUNDS * JOBS)
    })
    .await;
    for server in servers {
        server.stop().await;
    }
    is_healthy(&flow).await;
}

flows! {
    a_job_in_a_queue_and_a_set_leaves_the_set
    a_job_that_is_claimed_leaves_every_other_place
    a_job_in_two_hands_stays_with_the_one_that_lives_longer
    a_job_that_stands_twice_in_a_queue_stands_there_once
    two_jobs_with_one_id_are_a_note_and_left_alone
    jobs_that_nobody_takes_over_are_put_back_in_order
    an_entry_that_is_no_job_goes_to_the_dead_set
    a_process_that_tells_nothing_of_itself_is_taken_off_the_list
    a_pause_without_a_queue_is_a_note_and_stays
    ten_thousand_jobs_are_looked_at_in_a_moment
    there_is_no_false_alarm_beside_a_load_and_nothing_to_find_after_it
}
