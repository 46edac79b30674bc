//! A Redis that Ruby's Sidekiq has filled, and a process of it: its pages open, and Ruby sees what is done on them.

use sancho_tests::RedisServer;
use serde_json::{Value, json};

use crate::harness::until;
use crate::pages::{Findings, crawl};
use crate::ruby::{Process, Ruby};
use crate::site::Site;
use crate::webdriver::{Look, browser};

/// Something of everything, as an application in Ruby leaves it behind.
const FILL: &str = r#"
    Sidekiq::Client.push("class" => "RubyFails", "args" => ["<b>card</b> declined"], "queue" => "served")
    Sidekiq::Client.push("class" => "RubyWaits", "args" => [], "queue" => "served", "tags" => ["vip"])
    3.times { |n| Sidekiq::Client.push("class" => "RubyJob", "args" => [n, {"to" => "ada@example.com"}], "queue" => "mailers") }
    Sidekiq::Client.push("class" => "RubyJob", "args" => [], "queue" => "mailers", "at" => Time.now.to_f + 3600)
    dead = {"class" => "RubyJob", "args" => [1], "jid" => "dead00000000000000000001", "queue" => "mailers", "created_at" => Time.now.to_f,
      "failed_at" => Time.now.to_f, "retry_count" => 25, "error_class" => "Timeout::Error", "error_message" => "execution expired"}
    Sidekiq::DeadSet.new.kill(JSON.generate(dead), notify_failure: false)
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_of_ruby_is_shown_and_acted_on() {
    // Before Ruby begins: its job does not run for ever.
    let browser = browser().await;
    let redis = RedisServer::start(&[]);
    let ruby = Ruby::start(&redis);
    let mut sidekiq = Process::sidekiq(&redis, &["served"]);
    ruby.get(FILL).await;
    let sees = async |code: &str, wanted: Value| {
        until(code, || ruby.get(code), |value| *value == wanted).await;
    };
    sees("Sidekiq::RetrySet.new.size", json!(1)).await;
    // Its process tells what it runs when it beats.
    let runs = "Sidekiq::Workers.new.map { |_, _, work| work['payload']['class'] }";
    sees(runs, json!(["RubyWaits"])).await;

    let site = Site::at(&redis.url()).await;
    browser.open(&site.page("busy")).await;
    browser.press("td.job a", "RubyWaits").await;
    browser.shows("vip").await;
    browser.shows("running").await;
    let mut findings = Findings::default();
    let pages = crawl(&browser, &site, &[Look::WIDE], &mut findings).await;
    for kind in [
        "/job id in=dead",
        "/job id in=retry",
        "/job at in=queue jid name",
    ] {
        assert!(pages.contains_key(kind), "{:?}", pages.keys());
    }
    findings.none();
    browser.open(&site.page("retries")).await;
    browser.shows("ArgumentError").await;
    browser.shows("<b>card</b> declined").await;

    browser.press("tbody input[type=checkbox]", "").await;
    browser.press(".selection button", "Retry now").await;
    browser.shows("1 job put into the queue").await;
    // Ruby runs it, and it fails again.
    sees(
        "Sidekiq::RetrySet.new.map { |job| job['retry_count'] }",
        json!([1]),
    )
    .await;
    browser.open(&site.page("retries")).await;
    browser.press(".all button", "Kill").await;
    browser.press("dialog[open] .yes", "").await;
    browser.has("h1", "Done").await;
    sees(
        "[Sidekiq::RetrySet.new.size, Sidekiq::DeadSet.new.size]",
        json!([0, 2]),
    )
    .await;
    browser.open(&site.page("queue?name=mailers")).await;
    browser
        .press("tbody tr:nth-child(2) button", "Delete")
        .await;
    browser.press("dialog[open] .yes", "").await;
    browser.shows("1 job deleted").await;
    sees(
        "Sidekiq::Queue.new('mailers').map { |job| job.args[0] }.sort",
        json!([0, 2]),
    )
    .await;
    browser.press(".head button", "Clear").await;
    browser.press("dialog[open] .yes", "").await;
    browser.shows("The queue was cleared").await;
    sees("Sidekiq::Queue.new('mailers').size", json!(0)).await;

    browser.open(&site.page("busy")).await;
    browser.press("td.act button", "Quiet").await;
    browser.press("dialog[open] .yes", "").await;
    sees("Sidekiq::ProcessSet.new.map(&:stopping?)", json!([true])).await;
    ruby.get("Sidekiq.redis { |redis| redis.lpush('gate', 1) }")
        .await;
    browser.press("td.act button", "Stop").await;
    browser.press("dialog[open] .yes", "").await;
    sidekiq.ended().await;
    sees("Sidekiq::ProcessSet.new.size", json!(0)).await;
}
