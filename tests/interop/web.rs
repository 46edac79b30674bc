//! Sidekiq's own Web UI shows what is ours, and its buttons work.

use sancho::{Context, Outcome, job};
use serde_json::{Value, json};

use crate::harness::{Interop, Report, Running};
use crate::http::{Browser, between};
use crate::ruby::Process;

#[job(class = "RustRuns")]
async fn runs(#[context] cx: &Context, name: String, #[state] to: &Report) -> Outcome {
    to.send(json!(name)).unwrap();
    cx.stopping().await;
    Outcome::Interrupted
}

#[job(class = "RustBreaks")]
async fn breaks(#[context] cx: &Context, name: String, #[state] to: &Report) -> Result<(), String> {
    to.send(json!([name, cx.attempt()])).unwrap();
    Err("it <b>breaks</b>".into())
}

/// The names of the broken jobs in the retry set and in the dead set.
const BROKEN: &str = "[Sidekiq::RetrySet.new.map { |job| job.args[0] }.sort, Sidekiq::DeadSet.new.map { |job| job.args[0] }.sort]";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sidekiqs_web_ui_shows_our_process_and_quiets_and_stops_it() {
    let interop = Interop::start().await;
    let (_web, port) = Process::web(&interop.redis).await;
    let mut browser = Browser::at(port);
    let (server, mut reports) = interop.server();
    let server = server.queues(["default", "low"]).concurrency(3);
    let running = Running::start(server.only::<runs>());
    let jid = interop.client.push("RustRuns", ("slow",)).await.unwrap();
    assert_eq!(reports.next().await, "slow");
    let identity = interop.identity("rust").await;
    let shown = "Sidekiq::Workers.new.size";
    interop
        .until_ruby(shown, Value::Null, |size| *size == 1)
        .await;

    let busy = browser.get("/busy").await;
    for part in [
        &*identity,
        "rust",
        "default, low",
        jid.as_str(),
        "RustRuns",
        "slow",
    ] {
        assert!(busy.contains(part), "{part:?} is not in {busy}");
    }
    for page in ["/", "/queues", "/retries", "/scheduled", "/morgue"] {
        browser.get(page).await;
    }

    assert_eq!(browser.forge("/busy").await, 403);
    let to_it = ("identity", &*identity);
    browser
        .press("/busy", "/busy", &[to_it, ("quiet", "1")])
        .await;
    let code = "Sidekiq::ProcessSet.new.map(&:stopping?)";
    interop
        .until_ruby(code, Value::Null, |quiet| *quiet == json!([true]))
        .await;
    let quiet = browser.get("/busy").await;
    assert!(quiet.contains(">quiet<"), "{quiet}");
    browser
        .press("/busy", "/busy", &[to_it, ("stop", "1")])
        .await;
    running.ended().await;
    let gone = browser.get("/busy").await;
    assert!(!gone.contains(&identity), "{gone}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sidekiqs_web_ui_shows_our_retries_and_its_buttons_work() {
    let interop = Interop::start().await;
    let (_web, port) = Process::web(&interop.redis).await;
    let mut browser = Browser::at(port);
    let (server, mut reports) = interop.server();
    let running = Running::start(server.only::<breaks>());
    let job = interop.client.job("RustBreaks").backtrace(true);
    for name in ["again", "killed", "deleted"] {
        job.perform_async((name,)).await.unwrap();
        assert_eq!(reports.next().await, json!([name, 1]));
    }
    let until_broken = async |retries: &[&str], dead: &[&str]| {
        let wanted = json!([retries, dead]);
        interop
            .until_ruby(BROKEN, Value::Null, |broken| *broken == wanted)
            .await;
    };
    until_broken(&["again", "deleted", "killed"], &[]).await;

    let retries = browser.get("/retries").await;
    for part in [
        "RustBreaks",
        "String",
        "it &lt;b&gt;breaks&lt;&#x2F;b&gt;",
        "again",
    ] {
        assert!(retries.contains(part), "{part:?} is not in {retries}");
    }
    let keys: Vec<(String, String)> = retries
        .split("<tr>")
        .filter(|row| row.contains("key[]"))
        .map(|row| {
            let key = between(row, "name='key[]' value='", "'").to_owned();
            let name = ["again", "killed", "deleted"];
            let name = name.iter().find(|name| row.contains(*name)).unwrap();
            ((*name).to_owned(), key)
        })
        .collect();
    let key = |wanted: &str| {
        let found = keys.iter().find(|(name, _)| name == wanted);
        found.unwrap().1.as_str()
    };
    let details = browser.get(&format!("/retries/{}", key("again"))).await;
    // The message, and the first line of the backtrace.
    let (_, error) = details.split_once("Error Message").unwrap();
    let (message, backtrace) = error.split_once("Error Backtrace").unwrap();
    assert!(message.contains("it &lt;b&gt;breaks"), "{message}");
    assert!(backtrace.contains("it &lt;b>breaks"), "{backtrace}");

    let press = [("key[]", key("killed")), ("kill", "Kill")];
    browser.press("/retries", "/retries", &press).await;
    until_broken(&["again", "deleted"], &["killed"]).await;
    let press = [("key[]", key("deleted")), ("delete", "Delete")];
    browser.press("/retries", "/retries", &press).await;
    until_broken(&["again"], &["killed"]).await;
    let press = [("key[]", key("again")), ("retry", "Retry Now")];
    browser.press("/retries", "/retries", &press).await;
    assert_eq!(reports.next().await, json!(["again", 1]));
    until_broken(&["again"], &["killed"]).await;

    let morgue = browser.get("/morgue").await;
    assert!(morgue.contains("RustBreaks"), "{morgue}");
    let page = between(&morgue, "name='key[]' value='", "'").to_owned();
    let press = [("key[]", &*page), ("retry", "Retry Now")];
    browser.press("/morgue", "/morgue", &press).await;
    assert_eq!(reports.next().await, json!(["killed", 1]));
    until_broken(&["again", "killed"], &[]).await;
    browser
        .press("/retries", "/retries/all/kill", &[("kill", "Kill All")])
        .await;
    until_broken(&[], &["again", "killed"]).await;
    browser
        .press("/morgue", "/morgue/all/delete", &[("delete", "Delete All")])
        .await;
    until_broken(&[], &[]).await;
    running.stop().await;
    assert!(reports.is_silent());
}
