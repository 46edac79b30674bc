//! Entries that operators change while servers run.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sancho::Config;
use sancho::api::{Acted, ApiError};
use sancho::client::{ClientMiddleware, ClientNext, NewJob, Stop};
use sancho::cron::CronEntry;
use sancho::store::{Effect, keys};
use sancho_tests::Kind;
use tokio::sync::Semaphore;

use super::{MINUTE, clockwork, entry, half_past_noon, history, pass, settle, until_pushed};
use crate::harness::{Flow, Report, Running, field, flows};

async fn what_is_disabled_does_not_come_and_is_not_made_up_for(kind: Kind) {
    let flow = Flow::under(kind, half_past_noon()).await;
    let cron = flow.api().cron();
    cron.add(entry("some", "* * * * *")).await.unwrap();
    let running = Running::start(clockwork(&flow).0);
    pass(&flow, MINUTE).await;
    until_pushed(&flow, 1).await;
    cron.disable("some").await.unwrap();
    assert_eq!(cron.next_runs("some", 3).await.unwrap(), []);
    pass(&flow, 5 * MINUTE).await;
    settle(&flow, "marker").await;
    assert_eq!(history(&flow, "some").await.len(), 1);
    cron.enable("some").await.unwrap();
    let next = cron.next_runs("some", 2).await.unwrap();
    assert_eq!(next[1].since(next[0]), MINUTE);
    settle(&flow, "marker").await;
    assert_eq!(
        history(&flow, "some").await.len(),
        1,
        "nothing is made up for"
    );
    pass(&flow, MINUTE).await;
    flow.until("it comes again", || async {
        history(&flow, "some").await.len() == 2
    })
    .await;
    running.stop().await;
}

async fn an_entry_is_added_changed_and_removed_while_servers_run(kind: Kind) {
    let flow = Flow::under(kind, half_past_noon()).await;
    let cron = flow.api().cron();
    let running = Running::start(clockwork(&flow).0);
    settle(&flow, "first").await;
    let before = flow.queue("pushed").await.len();
    cron.add(entry("some", "@yearly")).await.unwrap();
    let error = cron.add(entry("some", "@daily")).await.unwrap_err();
    assert!(matches!(error, ApiError::Invalid(_)), "{error}");
    cron.change(entry("some", "* * * * *").description("each minute"))
        .await
        .unwrap();
    pass(&flow, MINUTE).await;
    until_pushed(&flow, before + 1).await;
    let listed = cron.list().await.unwrap();
    assert_eq!(listed.len(), 1);
    let entry_of = listed[0].entry.as_ref().unwrap();
    assert_eq!(entry_of.description_text(), Some("each minute"));
    assert_eq!(
        (listed[0].ticks, &*listed[0].origin, listed[0].enabled),
        (1, "api", true)
    );
    assert_eq!(cron.remove("some").await.unwrap(), Acted::Done);
    assert_eq!(cron.remove("some").await.unwrap(), Acted::Gone);
    pass(&flow, 2 * MINUTE).await;
    settle(&flow, "marker").await;
    assert_eq!(cron.list().await.unwrap().len(), 0);
    for error in [
        cron.history("some").await.map(drop).unwrap_err(),
        cron.enable("some").await.unwrap_err(),
        cron.change(entry("some", "@daily")).await.unwrap_err(),
        cron.run_now("some").await.map(drop).unwrap_err(),
    ] {
        assert!(
            matches!(&error, ApiError::NotFound(what) if what.contains("\"some\"")),
            "{error}"
        );
    }
    running.stop().await;
}

async fn a_run_that_is_asked_for_comes_at_once(kind: Kind) {
    let flow = Flow::under(kind, half_past_noon()).await;
    let cron = flow.api().cron();
    cron.add(entry("some", "@yearly").enabled(false))
        .await
        .unwrap();
    let mut jids = Vec::new();
    for _ in 0..12 {
        flow.pass(Duration::from_secs(1));
        jids.push(cron.run_now("some").await.unwrap());
    }
    let pushed = flow.queue("pushed").await;
    assert_eq!(pushed.len(), 12);
    assert_eq!(field(pushed[0].as_bytes(), "jid"), jids[0].as_str());
    assert_eq!(field(pushed[0].as_bytes(), "class"), "Says");
    let runs = history(&flow, "some").await;
    let shown: Vec<_> = runs.iter().map(|run| run.jid.clone().unwrap()).collect();
    jids.reverse();
    assert_eq!(shown, jids[..10], "the newest ten");
    assert!(runs.iter().all(|run| run.tick.is_none()));
    assert_eq!(cron.get("some").await.unwrap().unwrap().ticks, 0);
}

async fn a_class_that_nobody_here_serves_waits_in_its_queue(kind: Kind) {
    let flow = Flow::under(kind, half_past_noon()).await;
    let cron = flow.api().cron();
    let ruby = CronEntry::new("ruby", "* * * * *", "RubyJob")
        .unwrap()
        .queue("pushed")
        .unwrap();
    cron.add(ruby).await.unwrap();
    let running = Running::start(clockwork(&flow).0);
    pass(&flow, MINUTE).await;
    let pushed = until_pushed(&flow, 1).await;
    assert_eq!(field(pushed[0].as_bytes(), "class"), "RubyJob");
    assert_eq!(field(pushed[0].as_bytes(), "retry"), true);
    running.stop().await;
}

async fn what_nobody_can_read_is_shown_and_holds_nothing_up(kind: Kind) {
    let flow = Flow::under(kind, half_past_noon()).await;
    let cron = flow.api().cron();
    cron.add(entry("odd", "@daily")).await.unwrap();
    cron.add(entry("some", "* * * * *")).await.unwrap();
    flow.apply(vec![Effect::SetFields {
        key: keys::cron_entry("odd"),
        fields: vec![("entry".into(), Bytes::from_static(b"{\"cron\":\"\xff"))],
        ttl: None,
    }])
    .await;
    let running = Running::start(clockwork(&flow).0);
    pass(&flow, MINUTE).await;
    until_pushed(&flow, 1).await;
    running.stop().await;
    let odd = cron.get("odd").await.unwrap().unwrap();
    assert!(odd.entry.is_err());
    assert_eq!(odd.next_runs(1, flow.now()), []);
    assert_eq!(cron.remove("odd").await.unwrap(), Acted::Done);
}

async fn entries_are_carried_over_to_another_store(kind: Kind) {
    let flow = Flow::under(kind, half_past_noon()).await;
    let cron = flow.api().cron();
    cron.add(entry("some", "* * * * *")).await.unwrap();
    cron.add(entry("off", "@daily").enabled(false))
        .await
        .unwrap();
    cron.add(entry("known", "@daily")).await.unwrap();
    let running = Running::start(clockwork(&flow).0);
    pass(&flow, MINUTE).await;
    until_pushed(&flow, 1).await;
    running.stop().await;
    let before = history(&flow, "some").await;

    let there = Flow::under(Kind::Memory, half_past_noon()).await;
    let to = there.api().cron();
    to.add(entry("known", "@hourly")).await.unwrap();
    flow.api().move_to(&there.api()).finish().await.unwrap();
    assert_eq!(cron.list().await.unwrap().len(), 0);
    let listed = to.list().await.unwrap();
    let names: Vec<_> = listed
        .iter()
        .map(|status| (&*status.name, status.enabled, status.ticks))
        .collect();
    assert_eq!(
        names,
        [("known", true, 0), ("off", false, 0), ("some", true, 1)]
    );
    assert_eq!(listed[2].history(), before);
    let known = listed[0].entry.as_ref().unwrap();
    assert_eq!(
        known.schedule().expression(),
        "@hourly",
        "what is there stays"
    );
}

/// Holds pushes until they are let go.
#[derive(Clone)]
struct Held {
    arrived: Report,
    gate: Arc<Semaphore>,
}

impl ClientMiddleware for Held {
    async fn call(&self, job: NewJob, next: ClientNext<'_>) -> Result<NewJob, Stop> {
        let _ = self.arrived.send(job.args.clone());
        self.gate.acquire().await.unwrap().forget();
        next.run(job).await
    }
}

async fn no_tick_comes_once_its_entry_was_removed_disabled_or_changed(kind: Kind) {
    let flow = Flow::under(kind, half_past_noon()).await;
    let cron = flow.api().cron();
    // "a" is made first: who makes it has read all of them.
    for name in ["a", "again", "changed", "kept", "off", "removed"] {
        cron.add(entry(name, "* * * * *")).await.unwrap();
    }
    let (arrived, mut held) = Flow::reports();
    let gate = Arc::new(Semaphore::new(0));
    let mut running = Vec::new();
    for _ in 0..2 {
        let middleware = Held {
            arrived: arrived.clone(),
            gate: gate.clone(),
        };
        let config = Config::new().middleware(middleware);
        let other = flow.another_client().await;
        let client = sancho::testing::client_with(other.store().clone(), &config);
        running.push(Running::start(clockwork(&flow).0.client(&client)));
    }
    pass(&flow, MINUTE).await;
    assert_eq!(held.some(2).await, ["[\"a\"]"; 2]);
    assert!(cron.remove("removed").await.unwrap().is_done());
    cron.disable("off").await.unwrap();
    cron.disable("again").await.unwrap();
    cron.enable("again").await.unwrap();
    let other = entry("changed", "* * * * *").args(("otherwise",)).unwrap();
    cron.change(other).await.unwrap();
    gate.add_permits(1_000);
    settle(&flow, "marker").await;
    for server in running {
        server.stop().await;
    }
    let pushed = flow.queue("pushed").await;
    let mut args: Vec<_> = pushed
        .iter()
        .map(|job| field(job.as_bytes(), "args")[0].to_string())
        .filter(|arg| arg != "\"marker\"")
        .collect();
    args.sort();
    assert_eq!(args, ["\"a\"", "\"kept\"", "\"otherwise\""]);
    assert!(history(&flow, "off").await.is_empty());
    let runs = [keys::cron_runs("removed")];
    assert!(flow.store().fields(&runs).await.unwrap()[0].is_empty());
}

flows! {
    of kind
    no_tick_comes_once_its_entry_was_removed_disabled_or_changed
    what_is_disabled_does_not_come_and_is_not_made_up_for
    an_entry_is_added_changed_and_removed_while_servers_run
    a_run_that_is_asked_for_comes_at_once
    a_class_that_nobody_here_serves_waits_in_its_queue
    what_nobody_can_read_is_shown_and_holds_nothing_up
    entries_are_carried_over_to_another_store
}
