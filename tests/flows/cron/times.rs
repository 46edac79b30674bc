//! Ticks: each once, in time, and made up for.

use std::time::Duration;

use sancho::cron::CatchUp;
use sancho::runtime::ServerBuilder;
use sancho_tests::{Clock, Kind};

use super::{
    MINUTE, clockwork, double, entry, half_past_noon, history, pass, settle, ticks, until_known,
    until_pushed,
};
use crate::harness::{Flow, Running, flows};

async fn a_job_with_cron_is_enqueued_at_its_time(kind: Kind) {
    let flow = Flow::under(kind, half_past_noon()).await;
    let (builder, mut reports) = flow.server();
    let running = Running::start(
        builder
            .queues(["clock"])
            .only::<ticks>()
            .only::<double::ticks>(),
    );
    until_known(&flow, "Double").await;
    let status = flow.api().cron().get("ticks").await.unwrap().unwrap();
    assert!(status.origin.starts_with("job "), "{}", status.origin);
    assert!(reports.is_silent(), "it does not come at once");
    pass(&flow, MINUTE).await;
    assert_eq!(reports.next().await, "plain");
    pass(&flow, MINUTE).await;
    assert_eq!(reports.next().await, "plain");
    running.stop().await;
    let status = flow.api().cron().get("ticks").await.unwrap().unwrap();
    assert_eq!(status.ticks, 2);
    let last = status.last_tick.unwrap();
    assert_eq!(last.as_micros() % 60_000_000, 0);
    let run = &status.history()[0];
    assert_eq!(
        (run.tick, run.at, run.error.as_deref()),
        (Some(last), flow.now(), None)
    );
}

async fn each_tick_is_made_once_by(flow: &Flow, servers: usize) {
    let mut running = Vec::new();
    for _ in 0..servers {
        let (builder, _) = clockwork(flow);
        let entries = ["one", "two"].map(|name| entry(name, "* * * * *"));
        running.push(Running::start(
            entries.into_iter().fold(builder, ServerBuilder::cron),
        ));
    }
    until_known(flow, "two").await;
    for round in 1..=5 {
        pass(flow, MINUTE).await;
        until_pushed(flow, 2 * round).await;
    }
    settle(flow, "marker").await;
    for server in running {
        server.stop().await;
    }
    let pushed = flow.queue("pushed").await;
    let of = |name: &str| {
        pushed
            .iter()
            .filter(|job| job.contains(&format!("[\"{name}\"]")))
            .count()
    };
    assert_eq!((of("one"), of("two")), (5, 5), "{pushed:?}");
    let history = history(flow, "one").await;
    let mut ticks: Vec<_> = history.iter().map(|run| run.tick.unwrap()).collect();
    ticks.dedup();
    assert_eq!(ticks.len(), 5);
}

async fn two_servers_make_each_tick_once(kind: Kind) {
    each_tick_is_made_once_by(&Flow::under(kind, half_past_noon()).await, 2).await;
}

async fn five_servers_make_each_tick_once(kind: Kind) {
    each_tick_is_made_once_by(&Flow::under(kind, half_past_noon()).await, 5).await;
}

async fn what_was_missed_is_made_up_for(kind: Kind) {
    let flow = Flow::under(kind, half_past_noon()).await;
    let cron = flow.api().cron();
    let entries = [
        entry("none", "* * * * *").catch_up(CatchUp::None),
        entry("last", "* * * * *"),
        entry("three", "* * * * *").catch_up(CatchUp::All(3)),
        entry("all", "* * * * *")
            .catch_up(CatchUp::All(100))
            .within(5 * MINUTE),
        entry("daily", "15 12 * * *"),
        entry("late", "1 12 * * *").within(5 * MINUTE),
    ];
    for entry in entries {
        cron.add(entry).await.unwrap();
    }
    // Nobody runs until 12:30:30.
    flow.pass(30 * MINUTE);
    let running = Running::start(clockwork(&flow).0);
    settle(&flow, "marker").await;
    running.stop().await;
    for (name, count) in [
        ("none", 0),
        ("last", 1),
        ("three", 3),
        ("all", 5),
        ("daily", 1),
        ("late", 0),
    ] {
        let ticks = history(&flow, name).await;
        assert_eq!(ticks.len(), count, "{name}: {ticks:?}");
    }
    let newest = history(&flow, "three").await[0].tick.unwrap();
    assert_eq!(
        flow.now().since(newest),
        Duration::from_secs(31),
        "up to the last"
    );
}

async fn a_quiet_server_makes_no_ticks(kind: Kind) {
    let flow = Flow::under(kind, half_past_noon()).await;
    let declared = || clockwork(&flow).0.cron(entry("some", "* * * * *"));
    let server = declared().build().unwrap();
    let handle = server.handle();
    let running = Running::run(server);
    until_known(&flow, "some").await;
    handle.quiet();
    pass(&flow, MINUTE).await;
    // Another takes over.
    let other = Running::start(declared());
    let pushed = until_pushed(&flow, 1).await;
    assert_eq!(pushed.len(), 1);
    running.stop().await;
    other.stop().await;
}

/// With the host's clock: the ticks of an entry that comes each second.
async fn a_tick_is_late_by_less_than_100_ms(kind: Kind) {
    let flow = Flow::under(kind, Clock::live()).await;
    let running = Running::start(clockwork(&flow).0.cron(entry("each", "* * * * * *")));
    until_pushed(&flow, 3).await;
    running.stop().await;
    let runs = history(&flow, "each").await;
    let best = runs
        .iter()
        .map(|run| run.at.since(run.tick.unwrap()))
        .min()
        .unwrap();
    // Of a machine that does other things, the best of three says it: an unsteady duty would be late each time.
    assert!(best < Duration::from_millis(100), "{runs:?}");
}

flows! {
    of kind
    a_job_with_cron_is_enqueued_at_its_time
    two_servers_make_each_tick_once
    five_servers_make_each_tick_once
    what_was_missed_is_made_up_for
    a_quiet_server_makes_no_ticks
    a_tick_is_late_by_less_than_100_ms
}
