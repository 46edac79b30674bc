//! Who may see it, who may do what, and whose requests are refused.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use base64::Engine as _;
use sancho_tests::Kind;
use sancho_web::{Action, Options, User};

use crate::browser::{Site, body, posted};

fn near(path: &str, host: &str) -> axum::http::request::Builder {
    from("127.0.0.1:5", path, host)
}

fn from(peer: &str, path: &str, host: &str) -> axum::http::request::Builder {
    let peer: SocketAddr = peer.parse().unwrap();
    Request::get(path)
        .extension(ConnectInfo(peer))
        .header("host", host)
}

fn basic(credentials: &str) -> String {
    let encoded = base64::engine::general_purpose::STANDARD.encode(credentials);
    format!("Basic {encoded}")
}

fn empty(request: axum::http::request::Builder) -> Request<Body> {
    request.body(Body::empty()).unwrap()
}

#[tokio::test]
async fn without_a_word_it_answers_this_machine_alone() {
    let site = Site::with(Kind::Memory, Options::new().host("jobs.test")).await;
    for host in ["localhost:7433", "127.0.0.1", "[::1]:7433", "jobs.test"] {
        site.ask(empty(near("/", host))).await.is(200);
    }
    site.get("/")
        .await
        .is(403)
        .shows_refusal("answers its own machine alone");
    site.ask(empty(from("10.0.0.9:5", "/", "localhost")))
        .await
        .is(403);
    site.ask(empty(from("[::ffff:127.0.0.1]:5", "/", "localhost")))
        .await
        .is(200);
    site.ask(empty(near("/", "evil.example"))).await.is(403);
    for header in [
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "forwarded",
        "via",
        "cf-connecting-ip",
    ] {
        site.ask(empty(near("/", "localhost").header(header, "10.0.0.9")))
            .await
            .is(403);
    }
    // As a proxy asks that names nobody.
    let old = near("/", "localhost").version(axum::http::Version::HTTP_10);
    site.ask(empty(old)).await.is(403);
    site.ask(empty(near("/api/stats", "evil.example")))
        .await
        .is(403);
    site.ask(empty(near("/events", "evil.example")))
        .await
        .is(403);
}

impl crate::browser::Answer {
    #[track_caller]
    fn shows_refusal(&self, text: &str) {
        assert!(self.text.contains(text), "{}", self.text);
        // Whoever may not look sees no number.
        assert!(!self.text.contains("data-n="), "{}", self.text);
    }
}

#[tokio::test]
async fn users_give_a_name_and_a_password() {
    let options = Options::new().user("ada", "se:cret").user("bob", "x");
    let site = Site::with(Kind::Memory, options).await;
    let answer = site.get("/").await;
    answer.is(401).shows_refusal("user name and a password");
    assert!(
        answer.headers["www-authenticate"]
            .to_str()
            .unwrap()
            .starts_with("Basic ")
    );
    for wrong in [
        "ada:",
        "ada:secret",
        ":se:cret",
        "bob:se:cret",
        "ada:se:cret ",
        "",
    ] {
        let request = Request::get("/").header("authorization", basic(wrong));
        site.ask(empty(request)).await.is(401);
    }
    for odd in ["Basic", "Basic !!", "Bearer x", "Basic \u{ff}"] {
        let value = axum::http::HeaderValue::from_bytes(odd.as_bytes()).unwrap();
        site.ask(empty(Request::get("/").header("authorization", value)))
            .await
            .is(401);
    }
    let request = Request::get("/").header("authorization", basic("ada:se:cret"));
    site.ask(empty(request)).await.shows("as ada");
}

#[tokio::test]
async fn what_is_not_allowed_is_neither_offered_nor_done() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = asked.clone();
    let options = Options::new()
        .trust_every_request()
        .authorize(move |user, action| {
            noted
                .lock()
                .unwrap()
                .push((user.map(|user| user.name().to_owned()), action));
            !matches!(action, Action::ClearQueue | Action::DeleteJobs)
        });
    let site = Site::with(Kind::Memory, options).await;
    site.push("default", r#"{"class":"A","args":[],"jid":"a1"}"#)
        .await;
    site.get("/queues")
        .await
        .shows("value=\"pause\"")
        .hides("value=\"clear\"");
    site.post(
        "/queues",
        &[("name", "default"), ("do", "clear"), ("sure", "yes")],
    )
    .await
    .is(403);
    site.post("/api/queues", &[("name", "default"), ("do", "clear")])
        .await
        .is(403);
    site.post("/dead", &[("id", "1|x"), ("do", "delete")])
        .await
        .is(403);
    site.post(
        "/errors",
        &[("group", "x"), ("do", "delete"), ("sure", "yes")],
    )
    .await
    .is(403);
    assert_eq!(site.api().stats().await.unwrap().enqueued, 1);
    let request = Request::get("/").extension(User::new("ada"));
    site.ask(empty(request)).await.shows("as ada");
    let asked = asked.lock().unwrap();
    assert!(asked.contains(&(Some("ada".to_owned()), Action::Look)));
}

#[tokio::test]
async fn who_may_not_look_sees_nothing() {
    let options = Options::new().trust_every_request().authorize(|_, _| false);
    let site = Site::with(Kind::Memory, options).await;
    for path in ["/", "/dead", "/api/stats", "/stats", "/events"] {
        site.get(path).await.is(403);
    }
}

#[tokio::test]
async fn read_only_shows_all_and_does_nothing() {
    let site = Site::with(
        Kind::Memory,
        Options::new().trust_every_request().read_only(),
    )
    .await;
    site.push("default", r#"{"class":"A","args":[],"jid":"a1"}"#)
        .await;
    site.process("vm:7:abc", "\"default\"", false, None).await;
    let page = site.get("/queues").await;
    page.shows("read-only")
        .hides("value=\"pause\"")
        .hides("value=\"clear\"");
    site.get("/busy").await.is(200).hides("value=\"stop\"");
    for (path, form) in [
        ("/queues", [("name", "default"), ("do", "pause")]),
        ("/busy", [("process", "vm:7:abc"), ("do", "dump")]),
        ("/busy", [("jid", "a1"), ("do", "cancel")]),
        ("/retries", [("id", "1|a"), ("do", "retry")]),
        ("/api/queues", [("name", "default"), ("do", "pause")]),
        ("/api/cancel", [("jid", "a1"), ("do", "")]),
    ] {
        site.post(path, &form).await.is(403);
    }
    assert!(
        !site
            .api()
            .queue("default")
            .unwrap()
            .is_paused()
            .await
            .unwrap()
    );
    // The colours are the viewer's own.
    site.post("/theme", &[("theme", "dark")]).await.is(303);
}

#[tokio::test]
async fn what_another_site_makes_a_browser_send_is_refused() {
    let site = Site::on(Kind::Memory).await;
    site.push("default", r#"{"class":"A","args":[],"jid":"a1"}"#)
        .await;
    let form = [("name", "default"), ("do", "pause")];
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("sec-fetch-site", "none"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
    ] {
        for path in ["/queues", "/api/queues"] {
            let request = posted(path, &form)
                .header("host", "jobs.test")
                .header(name, value);
            site.ask(request.body(body(&form)).unwrap()).await.is(403);
        }
    }
    assert!(
        !site
            .api()
            .queue("default")
            .unwrap()
            .is_paused()
            .await
            .unwrap()
    );
    let request = posted("/queues", &form)
        .header("host", "jobs.test")
        .header("origin", "https://jobs.test");
    site.ask(request.body(body(&form)).unwrap()).await.is(303);
    assert!(
        site.api()
            .queue("default")
            .unwrap()
            .is_paused()
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn every_answer_has_the_headers_that_keep_it_safe() {
    let site = Site::on(Kind::Memory).await;
    for path in ["/", "/nothing", "/api/stats", "/find"] {
        let answer = site.get(path).await;
        let header = |name: &str| answer.headers[name].to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        assert!(
            policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("cross-origin-resource-policy"), "same-origin");
        assert_eq!(header("cache-control"), "no-store");
        for inline in ["<style", " style=", " onclick=", "javascript:"] {
            answer.hides(inline);
        }
        assert!(!answer.text.contains("<script>"), "{}", answer.text);
    }
}
