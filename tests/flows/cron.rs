//! The cron: entries that come by themselves, each tick once.

use std::time::Duration;

use bytes::Bytes;
use sancho::api::{Acted, ApiError, CronRun};
use sancho::cron::{CatchUp, CronEntry};
use sancho::job;
use sancho::job::Timestamp;
use sancho::runtime::{Server, ServerBuilder};
use sancho::store::{Effect, keys};
use sancho_tests::{Clock, Kind};

use crate::harness::{Flow, Report, Reports, Running, field, flows};
use crate::hostile::Log;

/// A time at which nothing that is used here comes: 12:00:30 UTC.
fn half_past_noon() -> Clock {
    Clock::at(Timestamp::from_millis(1_795_521_630_000))
}

const MINUTE: Duration = Duration::from_secs(60);

#[job(queue = "clock", cron = "* * * * *", retry = 3)]
async fn ticks(#[state] report: &Report, word: Option<String>) {
    let _ = report.send(word.unwrap_or_else(|| "plain".into()));
}

#[job(cron = "0 3 * * *", tz = "Europe/Nowhere")]
async fn lives_nowhere() {}

#[job]
async fn lives_here() {}

#[job]
async fn says(#[state] report: &Report, word: String) {
    let _ = report.send(word);
}

mod double {
    /// Of the same name as another, so it is called by its class.
    #[sancho::job(class = "Double", cron = "@yearly")]
    pub(super) async fn ticks() {}
}

/// A server that makes ticks and runs nothing: it serves no queue that is used.
fn clockwork(flow: &Flow) -> (ServerBuilder, Reports) {
    let (builder, reports) = flow.server();
    let builder = builder.queues(["nothing"]).only::<says>();
    (builder, reports)
}

/// An entry that pushes `says` into a queue that nobody serves.
fn entry(name: &str, cron: &str) -> CronEntry {
    CronEntry::new(name, cron, "Says")
        .unwrap()
        .args((name,))
        .unwrap()
        .queue("pushed")
        .unwrap()
}

/// Wakes those who sleep until a time that the test clock has jumped over.
async fn wake(flow: &Flow) {
    let item = Bytes::from(flow.now().as_micros().to_string());
    flow.apply(vec![Effect::Append {
        key: keys::CRON_CHANGES.into(),
        item,
        ttl: MINUTE,
    }])
    .await;
}

/// Waits until so many jobs were pushed, and gives the ticks of an entry's history, the newest first.
async fn until_pushed(flow: &Flow, count: usize) -> Vec<String> {
    flow.until(&format!("{count} jobs are pushed"), || async {
        flow.queue("pushed").await.len() >= count
    })
    .await;
    flow.queue("pushed").await
}

async fn history(flow: &Flow, name: &str) -> Vec<CronRun> {
    flow.api().cron().history(name).await.unwrap()
}

/// Waits until a server knows of an entry: it has looked since the last change.
async fn until_known(flow: &Flow, name: &str) {
    flow.until(&format!("{name} is known"), || async {
        flow.api().cron().get(name).await.unwrap().is_some()
    })
    .await;
}

/// Lets time pass, and lets everybody see it.
async fn pass(flow: &Flow, time: Duration) {
    flow.pass(time);
    wake(flow).await;
}

/// Makes sure that everything that was due before is made: an entry that is made after it is seen.
async fn settle(flow: &Flow, marker: &str) {
    flow.api()
        .cron()
        .add(entry(marker, "* * * * * *"))
        .await
        .unwrap();
    pass(flow, Duration::from_secs(1)).await;
    flow.until("the marker has come", || async {
        !history(flow, marker).await.is_empty()
    })
    .await;
    assert_eq!(flow.api().cron().remove(marker).await.unwrap(), Acted::Done);
}

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

async fn what_is_declared_no_more_is_removed_and_what_is_disabled_stays_so(kind: Kind) {
    let flow = Flow::under(kind, half_past_noon()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("schedule.yml");
    let cron = flow.api().cron();
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    let started = || Running::start(clockwork(&flow).0.schedule_file(&file));
    write(
        "a: {cron: '* * * * *', class: Says, args: [a], queue: pushed}\nb: {cron: '@daily', class: Says, status: disabled}\n",
    );
    let running = started();
    until_known(&flow, "b").await;
    running.stop().await;
    cron.add(entry("c", "@daily")).await.unwrap();
    cron.disable("a").await.unwrap();
    cron.enable("b").await.unwrap();
    assert_eq!(
        cron.get("b").await.unwrap().unwrap().origin,
        format!("file {}", file.display())
    );

    write(
        "a: {cron: '*/5 * * * *', class: Says}\nd: {cron: '@daily', class: Says, status: disabled}\n",
    );
    let running = started();
    until_known(&flow, "d").await;
    running.stop().await;
    let listed = cron.list().await.unwrap();
    let names: Vec<_> = listed
        .iter()
        .map(|status| (&*status.name, status.enabled))
        .collect();
    assert_eq!(names, [("a", false), ("c", true), ("d", false)]);
    assert_eq!(
        listed[0].entry.as_ref().unwrap().schedule().expression(),
        "*/5 * * * *"
    );

    // One with a mistake stops a start, and changes nothing.
    write("a: {cron: '@daily', class: Says}\ne: {cron: '@dayly', class: Says}\n");
    let error = clockwork(&flow).0.schedule_file(&file).build().unwrap_err();
    assert!(
        error.is_config() && error.to_string().contains("entry \"e\", field \"cron\""),
        "{error}"
    );
    let error = cron.load_file(&file).await.unwrap_err().to_string();
    assert!(
        error.contains(&*file.display().to_string()) && error.contains("`@dayly`"),
        "{error}"
    );
    assert_eq!(cron.list().await.unwrap().len(), 3);
    // Without it, it is loaded at run time.
    write("e: {cron: '@daily', class: Says}\n");
    cron.load_file(&file).await.unwrap();
    let names: Vec<_> = cron
        .list()
        .await
        .unwrap()
        .into_iter()
        .map(|status| status.name)
        .collect();
    assert_eq!(names, ["c", "e"]);
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

/// On one thread, whose log is caught.
#[tokio::test]
async fn a_class_that_is_not_served_is_reported_once() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    let _caught = tracing::subscriber::set_default(subscriber);
    let flow = Flow::under(Kind::Memory, half_past_noon()).await;
    let ruby = CronEntry::new("ruby", "* * * * *", "RubyJob").unwrap();
    let running = Running::start(clockwork(&flow).0.cron(ruby));
    until_known(&flow, "ruby").await;
    for runs in 1..=2 {
        pass(&flow, MINUTE).await;
        flow.until("it has come", || async {
            history(&flow, "ruby").await.len() == runs
        })
        .await;
    }
    running.stop().await;
    let text = log.text();
    let warning =
        "the cron entry ruby pushes jobs of the class RubyJob, which this process does not serve";
    assert_eq!(text.matches(warning).count(), 1, "{text}");
}

#[test]
fn a_zone_that_there_is_not_stops_the_start() {
    let error = Server::builder()
        .only::<lives_nowhere>()
        .build()
        .unwrap_err();
    let message = error.to_string();
    assert!(error.is_config(), "{message}");
    for part in ["`lives_nowhere`", "cron.rs:", "\"Europe/Nowhere\""] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn two_entries_of_one_name_stop_the_start() {
    let server = || Server::builder().only::<lives_here>();
    let error = server()
        .cron(entry("a", "@daily"))
        .cron(entry("a", "@hourly"))
        .build()
        .unwrap_err();
    assert!(
        error.is_config() && error.to_string().contains("\"a\""),
        "{error}"
    );
    let error = server().schedule_file("no/such.yml").build().unwrap_err();
    assert!(
        error.to_string().contains("no/such.yml: it cannot be read"),
        "{error}"
    );
    let error = server().schedule_file("Cargo.lock").build().unwrap_err();
    assert!(
        error.to_string().contains(".yml, .yaml or .toml"),
        "{error}"
    );
}

flows! {
    of kind
    a_job_with_cron_is_enqueued_at_its_time
    two_servers_make_each_tick_once
    five_servers_make_each_tick_once
    what_was_missed_is_made_up_for
    what_is_disabled_does_not_come_and_is_not_made_up_for
    an_entry_is_added_changed_and_removed_while_servers_run
    a_run_that_is_asked_for_comes_at_once
    a_class_that_nobody_here_serves_waits_in_its_queue
    what_is_declared_no_more_is_removed_and_what_is_disabled_stays_so
    a_quiet_server_makes_no_ticks
    what_nobody_can_read_is_shown_and_holds_nothing_up
    entries_are_carried_over_to_another_store
    a_tick_is_late_by_less_than_100_ms
}
