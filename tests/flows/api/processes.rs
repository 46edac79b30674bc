//! Processes: read in the forms of 6.5, 7 and 8, told something, and taken out when they are gone.

use std::sync::Arc;

use bytes::Bytes;
use sancho::api::{ApiError, Period, Process};
use sancho::job;
use sancho::job::Timestamp;
use sancho::store::{Effect, Members, keys};
use tokio::sync::Semaphore;

use super::{apply, hash, invalid};
use crate::harness::{Flow, Report, Running, flows};

const SIX: &str = "vm:7001:6a6a6a6a6a6a";
const SEVEN: &str = "vm:8702:d72c12a548c5";
const EIGHT: &str = "vm:8751:d72c12a548c5";
const EMBEDDED: &str = "app:9:0123456789ab";

const SIX_INFO: &str = r#"{"hostname":"vm","started_at":1795469303.9933243,"pid":7001,"tag":"app","concurrency":10,"queues":["critical","default"],"labels":[],"identity":"vm:7001:6a6a6a6a6a6a"}"#;
const SEVEN_INFO: &str = r#"{"hostname":"vm","started_at":1795469303.9933243,"pid":8702,"tag":"mytag","concurrency":5,"queues":["critical","default"],"weights":[{"critical":2,"default":1}],"labels":["blue"],"identity":"vm:8702:d72c12a548c5","version":"7.3.9","embedded":false}"#;
const EIGHT_INFO: &str = r#"{"hostname":"vm","started_at":1795469303.9933243,"pid":8751,"tag":"mytag","capsules":{"default":{"concurrency":5,"mode":"weighted","weights":{"critical":2,"default":1}},"single":{"concurrency":1,"mode":"strict","weights":{"serial":0}}},"queues":["critical","default","serial"],"weights":[{"critical":2,"default":1},{"serial":0}],"labels":["blue"],"identity":"vm:8751:d72c12a548c5","version":"8.1.7","embedded":false}"#;
const EMBEDDED_INFO: &str =
    r#"{"hostname":"app","pid":9,"concurrency":2,"version":"7.3.9","embedded":true}"#;

fn joins(identity: &str) -> Effect {
    Effect::Join(Members::Processes, identity.into())
}

/// What processes of all versions write.
async fn all_versions(flow: &Flow) {
    let beat = "1795469314.0165782";
    let older = |info| {
        [
            ("info", info),
            ("busy", "2"),
            ("beat", beat),
            ("quiet", "false"),
            ("rss", "28220"),
            ("rtt_us", "96"),
        ]
    };
    let mut eight = older(EIGHT_INFO).to_vec();
    eight.push(("concurrency", "6"));
    let mut quiet = older(EMBEDDED_INFO);
    quiet[3].1 = "true";
    let mut effects: Vec<_> = [SIX, SEVEN, EIGHT, EMBEDDED].map(joins).into();
    effects.extend([
        hash(keys::process(SIX), &older(SIX_INFO)),
        hash(keys::process(SEVEN), &older(SEVEN_INFO)),
        hash(keys::process(EIGHT), &eight),
        hash(keys::process(EMBEDDED), &quiet),
    ]);
    apply(flow, effects).await;
}

fn pairs(pairs: &[(&str, u64)]) -> Vec<(String, u64)> {
    pairs
        .iter()
        .map(|(name, weight)| ((*name).to_owned(), *weight))
        .collect()
}

async fn processes_of_all_versions_are_read(flow: Flow) {
    let api = flow.api();
    assert_eq!(api.processes().await.unwrap(), []);
    all_versions(&flow).await;
    // Between its death and the clean-up it has no description.
    let leader = Effect::Set {
        key: keys::LEADER.into(),
        value: Bytes::from_static(SEVEN.as_bytes()),
        ttl: None,
    };
    apply(&flow, vec![joins("vm:1:gone"), leader]).await;

    let processes = api.processes().await.unwrap();
    let [embedded, six, seven, eight] = &processes[..] else {
        panic!("{processes:?}");
    };
    assert_eq!(
        (&*six.identity, &*six.hostname, six.pid, &*six.tag),
        (SIX, "vm", 7_001, "app")
    );
    assert_eq!((six.concurrency, six.busy), (10, 2));
    assert_eq!((&six.version, six.queues.len()), (&None, 2));
    assert!(six.weights.is_empty() && six.capsules.is_empty());

    assert_eq!(seven.version.as_deref(), Some("7.3.9"));
    assert_eq!(seven.weights, [pairs(&[("critical", 2), ("default", 1)])]);
    assert_eq!((seven.concurrency, seven.leader), (5, true));
    assert_eq!(seven.labels, ["blue"]);

    assert_eq!((eight.concurrency, eight.leader), (6, false));
    assert_eq!((eight.rss_kb, eight.rtt_us), (28_220, 96));
    let beat = Timestamp::from_micros(1_795_469_314_016_578);
    assert_eq!(eight.beat, Some(beat));
    let started = Timestamp::from_micros(1_795_469_303_993_324);
    assert_eq!(eight.started_at, Some(started));
    assert_eq!(eight.queues, ["critical", "default", "serial"]);
    let [default, single] = &eight.capsules[..] else {
        panic!("{eight:?}");
    };
    assert_eq!((&*default.name, default.concurrency), ("default", 5));
    assert_eq!(&*default.mode, "weighted");
    assert_eq!(default.weights, pairs(&[("critical", 2), ("default", 1)]));
    assert_eq!((&*single.name, &*single.mode), ("single", "strict"));

    assert!(embedded.embedded && embedded.quiet && !eight.quiet);
    let stats = api.stats().await.unwrap();
    assert_eq!((stats.processes, stats.busy), (4, 8));
    assert_eq!(
        api.process(EIGHT).await.unwrap().as_ref(),
        Some(eight),
        "one by one"
    );
    assert!(api.process(SEVEN).await.unwrap().unwrap().leader);
    assert_eq!(api.process("vm:1:gone").await.unwrap(), None);
    invalid(api.process("").await);
}

async fn a_description_that_cannot_be_read_still_names_the_process(flow: Flow) {
    let odd = r#"{"hostname":7,"pid":"x","queues":"default","weights":{"a":1},"capsules":[],"concurrency":-1,"started_at":null,"new":{}}"#;
    apply(
        &flow,
        vec![
            joins("a:b:1:x"),
            joins("odd"),
            hash(
                keys::process("a:b:1:x"),
                &[("info", "{bad json"), ("busy", "x")],
            ),
            hash(keys::process("odd"), &[("info", odd)]),
        ],
    )
    .await;
    let processes = flow.api().processes().await.unwrap();
    let [one, odd] = &processes[..] else {
        panic!("{processes:?}");
    };
    assert_eq!((&*one.hostname, one.pid, one.busy), ("a:b", 1, 0));
    assert_eq!(odd.weights, [pairs(&[("a", 1)])]);
    let empty = Process::default();
    assert_eq!((&odd.queues, odd.pid), (&empty.queues, 0));
}

async fn a_process_is_told_in_order(flow: Flow) {
    all_versions(&flow).await;
    let api = flow.api();
    api.dump(EIGHT).await.unwrap();
    api.quiet(EIGHT).await.unwrap();
    api.stop(EIGHT).await.unwrap();
    let orders = flow.store().list(&keys::signals(EIGHT)).await.unwrap();
    assert_eq!(orders, ["TTIN", "TSTP", "TERM"]);
    let others = flow.store().list(&keys::signals(SEVEN)).await.unwrap();
    assert!(others.is_empty());
}

async fn who_takes_no_orders_is_not_told(flow: Flow) {
    all_versions(&flow).await;
    let api = flow.api();
    assert!(invalid(api.stop(EMBEDDED).await).contains("embedded"));
    let unknown = api.quiet("vm:1:nobody").await.unwrap_err();
    assert!(matches!(unknown, ApiError::NotFound(_)), "{unknown:?}");
    assert!(unknown.to_string().contains("vm:1:nobody"));
    invalid(api.dump("").await);
    for identity in [EMBEDDED, "vm:1:nobody"] {
        let orders = flow.store().list(&keys::signals(identity)).await.unwrap();
        assert!(orders.is_empty());
    }
}

async fn processes_that_are_gone_are_taken_out_once_a_minute(flow: Flow) {
    all_versions(&flow).await;
    // One has signals of its own kind, but no description: a hash without `info`.
    apply(
        &flow,
        vec![
            joins("vm:1:gone"),
            joins("vm:2:half"),
            hash(keys::process("vm:2:half"), &[("busy", "0")]),
        ],
    )
    .await;
    let api = flow.api();
    let (one, other) = tokio::join!(api.clean_up_processes(), api.clean_up_processes());
    let mut gone = [one.unwrap(), other.unwrap()].concat();
    gone.sort();
    assert_eq!(gone, ["vm:1:gone", "vm:2:half"]);
    let left = flow.store().members(Members::Processes).await.unwrap();
    assert_eq!(left, [EMBEDDED, SIX, SEVEN, EIGHT]);
    apply(&flow, vec![joins("vm:3:gone")]).await;
    assert!(api.clean_up_processes().await.unwrap().is_empty());
    apply(&flow, vec![Effect::Unset(keys::PROCESS_CLEANUP.into())]).await;
    assert_eq!(api.clean_up_processes().await.unwrap(), ["vm:3:gone"]);
}

/// Lets jobs end.
type Gate = Semaphore;

#[job]
async fn waits(#[state] to: &Report, #[state] gate: &Gate) {
    to.send("waits".into()).unwrap();
    gate.acquire().await.unwrap().forget();
}

async fn our_own_process_is_seen_with_its_work_and_stopped(flow: Flow) {
    let gate = Arc::new(Gate::new(0));
    let (server, mut reports) = flow.server();
    let server = server.state_arc(gate.clone()).concurrency(7);
    let running = Running::start(server.only::<waits>());
    let jid = waits::set().client(&flow.client).perform_async().await;
    let jid = jid.unwrap();
    reports.next().await;
    let api = flow.api();
    flow.until("the process shows itself", || async {
        api.processes().await.unwrap().len() == 1
    })
    .await;
    let identity = api.processes().await.unwrap().remove(0).identity;
    api.quiet(&identity).await.unwrap();
    flow.until("it is quiet", || async {
        api.process(&identity).await.unwrap().unwrap().quiet
    })
    .await;
    let process = api.process(&identity).await.unwrap().unwrap();
    assert_eq!((process.busy, process.concurrency), (1, 7));
    assert_eq!(process.pid, u64::from(std::process::id()));
    assert_eq!(process.queues, ["default"]);
    assert!(process.rss_kb > 0 && process.beat.is_some());
    let work = api.find_work(jid.as_str()).await.unwrap().unwrap();
    assert_eq!((&work.process, &*work.queue), (&identity, "default"));
    assert_eq!(work.job.class(), "Waits");
    assert_eq!(api.stats().await.unwrap().busy, 1);
    gate.add_permits(1);
    api.stop(&identity).await.unwrap();
    running.ended().await;
    assert!(api.processes().await.unwrap().is_empty());
    let metrics = api.metrics_of("Waits", Period::Minutes(5)).await.unwrap();
    let waits = &metrics.classes[0];
    assert_eq!((waits.totals().executed, waits.totals().failed), (1, 0));
    assert_eq!(waits.histogram().iter().sum::<u64>(), 1);
}

flows! {
    our_own_process_is_seen_with_its_work_and_stopped
    processes_of_all_versions_are_read
    a_description_that_cannot_be_read_still_names_the_process
    a_process_is_told_in_order
    who_takes_no_orders_is_not_told
    processes_that_are_gone_are_taken_out_once_a_minute
}
