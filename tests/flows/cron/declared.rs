//! Entries that programs declare: in code and in files.

use std::time::Duration;

use sancho::api::ApiError;
use sancho::cron::CronEntry;
use sancho::runtime::{Server, ServerBuilder};
use sancho::store::{Members, keys};
use sancho_tests::Kind;

use super::{
    MINUTE, clockwork, entry, half_past_noon, history, lives_here, lives_nowhere, pass, settle,
    until_known,
};
use crate::harness::{Flow, Running, flows};
use crate::hostile::Log;

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
    for part in ["`lives_nowhere`", "cron/mod.rs:", "\"Europe/Nowhere\""] {
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

/// A server of a program that declares these entries. All are of one name.
fn program(flow: &Flow, entries: impl IntoIterator<Item = CronEntry>) -> ServerBuilder {
    let builder = clockwork(flow).0.tag("worker");
    entries.into_iter().fold(builder, ServerBuilder::cron)
}

/// Waits until others can see what a process declares.
async fn until_told(flow: &Flow, name: &str) {
    let told = || async {
        let store = flow.store();
        let names = store.members(Members::Processes).await.unwrap();
        let keys: Vec<_> = names.iter().map(|name| keys::process(name)).collect();
        let hashes = store.fields(&keys).await.unwrap();
        hashes.into_iter().flatten().any(|(field, value)| {
            field == "cron" && String::from_utf8_lossy(&value).contains(&format!("{name:?}"))
        })
    };
    flow.until(&format!("{name} is told of"), told).await;
}

async fn names(flow: &Flow) -> Vec<String> {
    let listed = flow.api().cron().list().await.unwrap();
    listed.into_iter().map(|status| status.name).collect()
}

/// Lets time pass in small steps, in which a live process shows itself, until the entries are these.
async fn until_names(flow: &Flow, wanted: &[&str]) {
    flow.until(&format!("the entries are {wanted:?}"), || async {
        if names(flow).await == wanted {
            return true;
        }
        pass(flow, Duration::from_secs(1)).await;
        false
    })
    .await;
}

/// Lets time pass: long enough for what nobody declares to be taken out, and too short for a process to be taken for gone.
async fn pass_a_while(flow: &Flow) {
    for _ in 0..2 {
        pass(flow, Duration::from_secs(25)).await;
    }
}

async fn two_programs_of_one_name_keep_each_others_entries(kind: Kind) {
    let flow = Flow::under(kind, half_past_noon()).await;
    let cron = flow.api().cron();
    let ones = || program(&flow, [entry("one", "* * * * *"), entry("off", "@daily")]);
    let one = Running::start(ones());
    until_told(&flow, "one").await;
    until_known(&flow, "one").await;
    let two = Running::start(program(&flow, [entry("two", "* * * * *")]));
    until_told(&flow, "two").await;
    until_known(&flow, "two").await;
    pass_a_while(&flow).await;
    settle(&flow, "marker").await;
    assert_eq!(names(&flow).await, ["off", "one", "two"]);
    cron.disable("off").await.unwrap();
    let before = cron.get("one").await.unwrap().unwrap();

    // The one is away for long, and its entries are taken out; it comes back, and they are as it left them.
    one.stop().await;
    until_names(&flow, &["two"]).await;
    assert!(cron.get("off").await.unwrap().is_none());
    assert!(matches!(
        cron.run_now("one").await,
        Err(ApiError::NotFound(_))
    ));
    let kept = [keys::cron_runs("one")];
    let kept = flow.store().fields(&kept).await.unwrap().remove(0);
    let count = kept.iter().find(|(field, _)| field == "count").unwrap();
    let ticks: u64 = std::str::from_utf8(&count.1).unwrap().parse().unwrap();
    flow.pass(5 * MINUTE);
    let one = Running::start(ones());
    until_known(&flow, "one").await;
    flow.until("the last that was missed is made up for", || async {
        cron.get("one").await.unwrap().unwrap().ticks == ticks + 1
    })
    .await;
    let after = cron.get("one").await.unwrap().unwrap();
    assert_eq!(after.since, before.since);
    assert!(!cron.get("off").await.unwrap().unwrap().enabled);
    assert_eq!(names(&flow).await, ["off", "one", "two"]);
    one.stop().await;
    two.stop().await;
}

async fn the_removals_of_a_new_version_win_when_the_old_one_has_gone(kind: Kind) {
    let flow = Flow::under(kind, half_past_noon()).await;
    let cron = flow.api().cron();
    let expression = |name: &'static str| {
        let cron = cron.clone();
        async move {
            let status = cron.get(name).await.unwrap().unwrap();
            status.entry.unwrap().schedule().expression().to_owned()
        }
    };
    let old = || Running::start(program(&flow, [entry("a", "@daily"), entry("b", "@daily")]));
    let first = old();
    until_told(&flow, "b").await;
    until_known(&flow, "b").await;
    let new = Running::start(program(
        &flow,
        [entry("a", "@hourly"), entry("c", "@daily")],
    ));
    until_told(&flow, "c").await;
    until_known(&flow, "c").await;
    assert_eq!(names(&flow).await, ["a", "b", "c"], "the old version runs");
    assert_eq!(expression("a").await, "@hourly");
    // Amid the deploy, an old one is started anew.
    let second = old();
    flow.until("it has its a", || async {
        expression("a").await == "@daily"
    })
    .await;
    first.stop().await;
    pass_a_while(&flow).await;
    settle(&flow, "marker").await;
    assert_eq!(names(&flow).await, ["a", "b", "c"], "an old version runs");
    second.stop().await;
    until_names(&flow, &["a", "c"]).await;
    flow.until("the new one has its a", || async {
        pass(&flow, Duration::from_secs(1)).await;
        expression("a").await == "@hourly"
    })
    .await;
    new.stop().await;
}

async fn what_an_operator_removed_comes_again_at_a_start_alone(kind: Kind) {
    let flow = Flow::under(kind, half_past_noon()).await;
    let declared = || program(&flow, [entry("one", "@daily"), entry("two", "@daily")]);
    let running = Running::start(declared());
    until_known(&flow, "two").await;
    flow.api().cron().disable("one").await.unwrap();
    assert!(flow.api().cron().remove("one").await.unwrap().is_done());
    pass_a_while(&flow).await;
    settle(&flow, "marker").await;
    assert_eq!(names(&flow).await, ["two"]);
    running.stop().await;
    let running = Running::start(declared());
    until_known(&flow, "one").await;
    let status = flow.api().cron().get("one").await.unwrap().unwrap();
    assert!(status.enabled, "nothing of it had stayed");
    running.stop().await;
}

async fn a_schedule_file_is_read_anew_while_a_server_runs(kind: Kind) {
    let flow = Flow::under(kind, half_past_noon()).await;
    let cron = flow.api().cron();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("schedule.yml");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write("a: {cron: '@daily', class: Says}\nb: {cron: '@daily', class: Says}\n");
    let server = program(&flow, [entry("code", "@daily")]).schedule_file(&file);
    let server = server.build().unwrap();
    let handle = server.handle();
    let running = Running::run(server);
    until_known(&flow, "b").await;
    cron.disable("a").await.unwrap();
    cron.change(entry("code", "@yearly")).await.unwrap();

    write("a: {cron: '@hourly', class: Says}\nc: {cron: '@daily', class: Says}\n");
    assert_eq!(handle.read_schedule().unwrap().unwrap(), file);
    flow.until("what was removed is gone", || async {
        names(&flow).await == ["a", "c", "code"]
    })
    .await;
    let listed = cron.list().await.unwrap();
    let form = |at: usize| listed[at].entry.as_ref().unwrap().schedule().expression();
    assert_eq!((form(0), listed[0].enabled), ("@hourly", false));
    assert_eq!(form(2), "@yearly", "what did not change is the operator's");

    write("a: {cron: '@daily', class: Says}\nd: {cron: 'often', class: Says}\n");
    let error = handle.read_schedule().unwrap_err();
    let message = error.to_string();
    assert!(error.is_config(), "{message}");
    for part in ["schedule.yml", "entry \"d\"", "field \"cron\""] {
        assert!(message.contains(part), "{message}");
    }
    std::fs::remove_file(&file).unwrap();
    assert!(handle.read_schedule().is_err(), "a file that was there");
    settle(&flow, "marker").await;
    assert_eq!(names(&flow).await, ["a", "c", "code"]);
    assert_eq!(cron.get("a").await.unwrap().unwrap().since, listed[0].since);
    running.stop().await;
}

flows! {
    of kind
    what_is_declared_no_more_is_removed_and_what_is_disabled_stays_so
    two_programs_of_one_name_keep_each_others_entries
    the_removals_of_a_new_version_win_when_the_old_one_has_gone
    what_an_operator_removed_comes_again_at_a_start_alone
    a_schedule_file_is_read_anew_while_a_server_runs
}
