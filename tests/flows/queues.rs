//! Queues and capsules: which job is taken next, and what changes while a server runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sancho::runtime::{Capsule, Mode, ServerBuilder};
use sancho::store::{Owner, Registration};
use sancho::{Context, job};
use tokio::sync::Semaphore;

use crate::harness::{Flow, Report, Reports, Running, flows};

/// Lets as many jobs end as it has permits.
type Gate = Semaphore;

#[job]
async fn names_its_queue(#[state] to: &Report, #[context] cx: &Context) {
    // The last jobs may end when nobody listens any more.
    let _ = to.send(cx.queue().to_owned());
}

#[job]
async fn holds_its_slot(#[state] to: &Report, #[state] gate: &Gate, #[context] cx: &Context) {
    to.send(cx.queue().to_owned()).unwrap();
    gate.acquire().await.unwrap().forget();
}

async fn push_names(flow: &Flow, queue: &str, count: usize) {
    let set = names_its_queue::set().client(&flow.client).queue(queue);
    set.perform_bulk(vec![(); count]).await.unwrap();
}

async fn push_holds(flow: &Flow, queue: &str) {
    let set = holds_its_slot::set().client(&flow.client).queue(queue);
    set.perform_async().await.unwrap();
}

fn server(flow: &Flow) -> (ServerBuilder, Reports, Arc<Gate>) {
    let gate = Arc::new(Semaphore::new(0));
    let (server, seen) = flow.server();
    let server = server
        .only::<names_its_queue>()
        .only::<holds_its_slot>()
        .state_arc(gate.clone());
    (server, seen, gate)
}

async fn full_queues_give_what_their_weights_say(flow: Flow) {
    const JOBS: usize = 10_000;
    let weights = [("three", 3), ("two", 2), ("one", 1)];
    for (queue, weight) in weights {
        // A third more than it is to give.
        push_names(&flow, queue, JOBS * weight / 6 * 4 / 3).await;
    }
    let (server, mut seen, _) = server(&flow);
    let queues = weights.map(|(queue, weight)| (queue, u32::try_from(weight).unwrap()));
    let running = Running::start(server.queues(queues).concurrency(25));
    let mut given = BTreeMap::new();
    for queue in seen.some(JOBS).await {
        *given.entry(queue).or_insert(0_usize) += 1;
    }
    running.stop().await;
    for (queue, weight) in weights {
        let exact = JOBS * weight / 6;
        assert!(
            given[queue].abs_diff(exact) <= exact / 20,
            "{queue} gave {} of {exact}: {given:?}",
            given[queue]
        );
    }
}

async fn random_order_asks_all_queues_alike(flow: Flow) {
    for queue in ["a", "b"] {
        push_names(&flow, queue, 1_000).await;
    }
    let (server, mut seen, _) = server(&flow);
    let running = Running::start(server.queues([("a", 1), ("b", 1)]).concurrency(7));
    let a = seen
        .some(1_000)
        .await
        .iter()
        .filter(|queue| *queue == "a")
        .count();
    running.stop().await;
    assert!(a.abs_diff(500) <= 50, "{a}");
}

async fn strict_order_takes_nothing_while_a_queue_before_has_jobs(flow: Flow) {
    for queue in ["low", "default", "critical"] {
        push_names(&flow, queue, 20).await;
    }
    let (server, mut seen, _) = server(&flow);
    let order = ["critical", "default", "low"];
    let running = Running::start(server.queues(order).concurrency(1));
    let expected: Vec<_> = order.iter().flat_map(|queue| vec![*queue; 20]).collect();
    assert_eq!(seen.some(60).await, expected);
    running.stop().await;
}

async fn no_queue_waits_while_a_slot_is_free(flow: Flow) {
    for _ in 0..3 {
        push_holds(&flow, "low").await;
    }
    push_holds(&flow, "lowest").await;
    let (server, mut seen, gate) = server(&flow);
    let queues = [("high", 100), ("low", 10), ("lowest", 1)];
    let running = Running::start(server.queues(queues).concurrency(5));
    let mut first = seen.some(4).await;
    first.sort();
    assert_eq!(first, ["low", "low", "low", "lowest"]);
    push_holds(&flow, "lowest").await;
    assert_eq!(seen.next().await, "lowest");
    gate.add_permits(5);
    running.stop().await;
    assert_eq!(flow.counters().await, (5, 0));
}

async fn a_capsule_has_slots_of_its_own(flow: Flow) {
    for queue in ["single", "single", "single", "default", "default"] {
        push_holds(&flow, queue).await;
    }
    let (server, mut seen, gate) = server(&flow);
    let capsule = Capsule::named("one_by_one")
        .queues(["single"])
        .concurrency(1);
    let server = server.concurrency(2).capsule(capsule).build().unwrap();
    let handle = server.handle();
    let running = Running::run(server);
    let mut first = seen.some(3).await;
    first.sort();
    assert_eq!(first, ["default", "default", "single"]);
    let capsule = handle.capsule("one_by_one").unwrap();
    assert_eq!((capsule.busy(), handle.default_capsule().busy()), (1, 2));
    assert_eq!(flow.queue("single").await.len(), 2);
    gate.add_permits(3);
    // The next one of the capsule begins only now that the first has ended.
    assert_eq!(seen.next().await, "single");
    gate.add_permits(2);
    assert_eq!(seen.next().await, "single");
    running.stop().await;
    assert_eq!(flow.counters().await, (5, 0));
}

async fn the_jobs_of_all_capsules_go_back_when_it_stops_now(flow: Flow) {
    for queue in ["single", "default"] {
        push_holds(&flow, queue).await;
    }
    let before = (flow.queue("single").await, flow.queue("default").await);
    let (server, mut seen, _gate) = server(&flow);
    let server = server
        .shutdown_timeout(Duration::from_secs(3_600))
        .capsule(Capsule::named("other").queues(["single"]))
        .build()
        .unwrap();
    let handle = server.handle();
    let running = Running::run(server);
    seen.some(2).await;
    handle.stop_now();
    running.ended().await;
    assert_eq!(
        (flow.queue("single").await, flow.queue("default").await),
        before
    );
    assert_eq!(flow.store().census().await.unwrap().claimed, 0);
}

async fn queues_and_concurrency_change_while_it_runs(flow: Flow) {
    let (server, mut seen, gate) = server(&flow);
    let server = server.queues(["a", "b"]).concurrency(1).build().unwrap();
    let handle = server.handle();
    let capsule = handle.default_capsule();
    let running = Running::run(server);
    handle.started().await;
    assert!(handle.is_alive());

    push_names(&flow, "late", 1).await;
    capsule.add_queue("late").unwrap();
    assert_eq!(seen.next().await, "late");

    capsule.pause("a");
    // Once this has run, no claim is under way that was made before.
    push_names(&flow, "b", 1).await;
    assert_eq!(seen.next().await, "b");
    push_names(&flow, "a", 1).await;
    push_names(&flow, "b", 1).await;
    assert_eq!(seen.next().await, "b");
    assert_eq!(flow.queue("a").await.len(), 1);
    capsule.resume("a");
    assert_eq!(seen.next().await, "a");

    capsule.remove_queue("late").unwrap();
    push_names(&flow, "b", 1).await;
    assert_eq!(seen.next().await, "b");
    push_names(&flow, "late", 1).await;
    push_names(&flow, "b", 1).await;
    assert_eq!(seen.next().await, "b");
    assert_eq!(flow.queue("late").await.len(), 1);

    push_holds(&flow, "a").await;
    push_holds(&flow, "a").await;
    assert_eq!(seen.next().await, "a");
    assert_eq!((capsule.busy(), flow.queue("a").await.len()), (1, 1));
    capsule.set_concurrency(2).unwrap();
    assert_eq!(seen.next().await, "a");

    capsule.set_queues([("a", 1), ("b", 2)]).unwrap();
    assert_eq!(capsule.mode(), Mode::Weighted);
    for wrong in [
        capsule.set_concurrency(0),
        capsule.set_queues(Vec::<String>::new()),
        capsule.add_queue(""),
        capsule
            .remove_queue("a")
            .and_then(|()| capsule.remove_queue("b")),
    ] {
        assert!(wrong.unwrap_err().is_config());
    }
    assert_eq!((capsule.concurrency(), capsule.queues().len()), (2, 1));
    gate.add_permits(2);
    running.stop().await;
    assert!(handle.is_alive());
}

async fn every_capsule_gives_up_what_it_holds_when_the_process_is_taken_for_dead(flow: Flow) {
    const LEASE: Duration = Duration::from_secs(1);
    for queue in ["single", "default"] {
        push_holds(&flow, queue).await;
    }
    let (server, mut seen, _gate) = server(&flow);
    let server = server
        .lease(LEASE)
        .shutdown_timeout(Duration::ZERO)
        .capsule(Capsule::named("other").queues(["single"]))
        .build()
        .unwrap();
    let handle = server.handle();
    let running = Running::run(server);
    seen.some(2).await;
    flow.pass(LEASE * 100);
    let (rescuer, first) = (Owner::random(), Registration::First);
    let store = flow.store();
    store.renew(&rescuer, LEASE * 1_000, first).await.unwrap();
    let mut seq = 0;
    for owner in store.owners().await.unwrap() {
        seq += 1;
        store
            .take_over(&rescuer, seq, &owner.owner, 10)
            .await
            .unwrap();
    }
    flow.until("both have given up", || async {
        handle.capsules().iter().all(|capsule| capsule.busy() == 0)
    })
    .await;
    for queue in ["single", "default"] {
        push_names(&flow, queue, 1).await;
    }
    let mut again = seen.some(2).await;
    again.sort();
    assert_eq!(again, ["default", "single"]);
    running.stop().await;
}

#[test]
fn capsules_that_cannot_be_served_stop_the_start() {
    let server = || ServerBuilder::default().only::<names_its_queue>().state(1);
    let (report, _) = Flow::reports();
    for (capsule, part) in [
        (Capsule::named(""), "a capsule's name is empty"),
        (
            Capsule::named("x").concurrency(0),
            "the capsule \"x\": the concurrency is 0",
        ),
        (
            Capsule::named("x").queues([""]),
            "the capsule \"x\": a queue's name is empty",
        ),
        (
            Capsule::named("x").queues([("q", 2_000_000)]),
            "the weight of the queue \"q\"",
        ),
    ] {
        let error = server()
            .state(report.clone())
            .capsule(capsule)
            .build()
            .unwrap_err();
        assert!(
            error.is_config() && error.to_string().contains(part),
            "{error}"
        );
    }
}

flows! {
    full_queues_give_what_their_weights_say
    random_order_asks_all_queues_alike
    strict_order_takes_nothing_while_a_queue_before_has_jobs
    no_queue_waits_while_a_slot_is_free
    a_capsule_has_slots_of_its_own
    the_jobs_of_all_capsules_go_back_when_it_stops_now
    queues_and_concurrency_change_while_it_runs
    every_capsule_gives_up_what_it_holds_when_the_process_is_taken_for_dead
}
