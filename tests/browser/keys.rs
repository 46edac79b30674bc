//! What is done by keyboard.

use serde_json::{Value, json};

use crate::harness::until;
use crate::site::Site;
use crate::webdriver::{Browser, browser};

async fn at(browser: &Browser, path: &str) {
    let script = "return location.pathname";
    let path = Value::from(path);
    let arrived = || browser.run(script, json!([]));
    until("a key leads to a page", arrived, |at| *at == path).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_keyboard_leads_everywhere() {
    let site = Site::on_sqlite().await;
    let browser = browser().await;
    browser.open(&site.page("")).await;
    browser.keys("body", "?").await;
    browser.has("dialog[open] h2", "Keys").await;
    assert_eq!(browser.barriers().await, json!([]));
    browser.press("dialog[open] button", "Close").await;
    browser.keys("body", "gr").await;
    at(&browser, "/retries").await;
    browser.keys("body", "jjx").await;
    browser.has(".chosen", "1 selected").await;
    let selected = "return document.querySelector('tbody tr:nth-child(2) input').checked";
    assert_eq!(browser.run(selected, json!([])).await, true);
    // The question can be answered without a mouse, and can be refused.
    browser.press(".selection button", "Delete").await;
    browser
        .has("dialog[open] #confirm-text", "Delete the selected jobs?")
        .await;
    assert_eq!(browser.barriers().await, json!([]));
    browser.press("dialog[open] .no", "").await;
    browser.has("dialog[open] #confirm-text", "").await;
    assert_eq!(site.sizes().await[2], 60);
    browser.press("body", "").await;
    browser.keys("body", "/").await;
    // The filter of this page, where it has one.
    let focused = "return document.activeElement.id";
    assert_eq!(browser.run(focused, json!([])).await, "q");
    browser.keys("#q", "\u{e00c}").await;
    browser.keys("body", "gq").await;
    at(&browser, "/queues").await;
    browser.keys("body", "/").await;
    assert_eq!(browser.run(focused, json!([])).await, "find");
}
