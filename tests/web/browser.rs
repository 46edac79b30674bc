//! What the tests ask with: a store of each kind, the router over it, and a browser without scripts.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use bytes::Bytes;
use sancho::api::Api;
use sancho::job::Timestamp;
use sancho::store::{Effect, End, Key, Members, Place, TimedSet, keys};
use sancho::{Client, testing};
use sancho_tests::{Clock, Fixture, Kind};
use sancho_web::Options;
use tower::ServiceExt;

/// The longest page that a test reads.
const MAX_BODY: usize = 64 << 20;

/// How long a test waits for what must happen. Far longer than it takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Registers a test for every store.
macro_rules! on_every_store {
    ($($name:ident)*) => {$(
        mod $name {
            use crate::browser::Site;

            #[tokio::test]
            async fn memory() {
                super::$name(Site::on(sancho_tests::Kind::Memory).await).await;
            }

            #[tokio::test]
            async fn sqlite() {
                super::$name(Site::on(sancho_tests::Kind::Sqlite).await).await;
            }

            #[tokio::test]
            async fn redis() {
                super::$name(Site::on(sancho_tests::Kind::Redis).await).await;
            }
        }
    )*};
}
pub(crate) use on_every_store;

/// A store and its dashboard.
pub(crate) struct Site {
    pub(crate) fixture: Fixture,
    pub(crate) client: Client,
    pub(crate) router: Router,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Site {
    pub(crate) async fn on(kind: Kind) -> Self {
        Self::with(kind, Options::new().trust_every_request()).await
    }

    pub(crate) async fn with(kind: Kind, options: Options) -> Self {
        Self::at(kind, Clock::starting_now(), options).await
    }

    /// Under a clock that stands still.
    pub(crate) async fn at(kind: Kind, clock: Clock, options: Options) -> Self {
        let fixture = Fixture::with_clock(kind, clock).await;
        let client = testing::client(fixture.handle());
        let api = Api::new(&client).with_clock(fixture.clock().source());
        Self {
            fixture,
            client,
            router: sancho_web::router_with(api, options),
        }
    }

    pub(crate) fn api(&self) -> Api {
        Api::new(&self.client).with_clock(self.fixture.clock().source())
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.fixture.now()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Request::get(path).body(Body::empty()).unwrap())
            .await
    }

    /// Sends a form, as a page of this site does.
    pub(crate) async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.ask(
            posted(path, form)
                .header("sec-fetch-site", "same-origin")
                .body(body(form))
                .unwrap(),
        )
        .await
    }

    /// Sends a form, says yes, and follows to the page that it leads to.
    pub(crate) async fn post_surely(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let mut form = form.to_vec();
        form.push(("sure", "yes"));
        let answer = self.post(path, &form).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        let to = answer.headers[LOCATION].to_str().unwrap();
        // From a page of the first level, a relative link leads to the root.
        self.get(&format!("/{}", to.trim_start_matches("./"))).await
    }

    /// Asks for a page until it shows this: numbers may be as old as what they cost.
    pub(crate) async fn until_shows(&self, path: &str, text: &str) {
        let mut last = String::new();
        let asked = async {
            while !last.contains(text) {
                last = self.get(path).await.text;
                tokio::task::yield_now().await;
            }
        };
        let shown = tokio::time::timeout(PATIENCE, asked).await;
        assert!(shown.is_ok(), "{path} never shows {text:?}: {last}");
    }

    pub(crate) async fn ask(&self, request: Request<Body>) -> Answer {
        ask(&self.router, request).await
    }

    /// Puts a payload into a queue.
    pub(crate) async fn push(&self, queue: &str, payload: impl Into<Bytes>) {
        let place = Place::Queue {
            name: queue.into(),
            end: End::Tail,
        };
        self.fixture
            .apply(vec![Effect::Put(payload.into(), place)])
            .await;
    }

    /// Puts a payload into a set, so many seconds from now.
    pub(crate) async fn put(&self, set: TimedSet, seconds: u64, payload: impl Into<Bytes>) {
        let place = Place::Timed {
            set,
            at: self.now().after(Duration::from_secs(seconds)),
        };
        self.fixture
            .apply(vec![Effect::Put(payload.into(), place)])
            .await;
    }

    /// Shows a process that serves these queues and runs this job.
    pub(crate) async fn process(
        &self,
        identity: &str,
        queues: &str,
        embedded: bool,
        runs: Option<&str>,
    ) {
        let beat = self.now().as_score().to_string();
        let info = format!(
            r#"{{"hostname":"vm","pid":7,"tag":"app","concurrency":5,"queues":[{queues}],"labels":[],"identity":"{identity}","version":"8.1.2","embedded":{embedded}}}"#
        );
        let fields = [
            ("info", &*info),
            ("busy", "1"),
            ("beat", &*beat),
            ("quiet", "false"),
        ];
        let mut effects = vec![
            Effect::Join(Members::Processes, identity.into()),
            hash(keys::process(identity), &fields),
        ];
        if let Some(payload) = runs {
            let seconds = self.now().as_millis() / 1_000;
            let value =
                serde_json::json!({"queue": "default", "payload": payload, "run_at": seconds});
            effects.push(hash(keys::work(identity), &[("t1", &value.to_string())]));
        }
        self.fixture.apply(effects).await;
    }
}

pub(crate) async fn ask(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, MAX_BODY).await.unwrap();
    Answer {
        status: parts.status,
        headers: parts.headers,
        text: String::from_utf8_lossy(&body).into_owned(),
    }
}

pub(crate) fn posted(path: &str, _: &[(&str, &str)]) -> axum::http::request::Builder {
    Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
}

pub(crate) fn body(form: &[(&str, &str)]) -> Body {
    let pair = |(name, value): &(&str, &str)| format!("{}={}", encode(name), encode(value));
    Body::from(form.iter().map(pair).collect::<Vec<_>>().join("&"))
}

/// A text as it stands in a form or a query.
pub(crate) fn encode(text: &str) -> String {
    let each = |byte: u8| {
        if byte.is_ascii_alphanumeric() {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(each).collect()
}

fn hash(key: Key, fields: &[(&str, &str)]) -> Effect {
    let field =
        |(name, value): &(&str, &str)| ((*name).into(), Bytes::copy_from_slice(value.as_bytes()));
    Effect::SetFields {
        key,
        fields: fields.iter().map(field).collect(),
        ttl: None,
    }
}

/// A job that has failed.
pub(crate) fn failed(jid: &str, class: &str, message: &str) -> String {
    serde_json::json!({
        "class": class, "args": [42, "ada@example.com"], "jid": jid, "queue": "default", "retry": true,
        "created_at": 1_795_469_304_000_i64, "failed_at": 1_795_469_305_000_i64, "retry_count": 2,
        "error_class": "app::CardError", "error_message": message,
    })
    .to_string()
}

impl Answer {
    /// It is well, and shows this.
    #[track_caller]
    pub(crate) fn shows(&self, text: &str) -> &Self {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        assert!(self.text.contains(text), "{text:?} is not in {}", self.text);
        self
    }

    #[track_caller]
    pub(crate) fn hides(&self, text: &str) -> &Self {
        assert!(!self.text.contains(text), "{text:?} is in {}", self.text);
        self
    }

    #[track_caller]
    pub(crate) fn is(&self, status: u16) -> &Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The values of the hidden or other fields of this name in its forms, as they would be sent.
    pub(crate) fn values(&self, name: &str) -> Vec<String> {
        let field = format!("name=\"{name}\" value=\"");
        let found = self.text.split(&field).skip(1);
        found
            .map(|rest| decode(rest.split('"').next().unwrap()))
            .collect()
    }

    /// The first link that contains this text.
    pub(crate) fn link(&self, text: &str) -> String {
        let links = self.text.split("href=\"").skip(1);
        let mut links = links.map(|rest| decode(rest.split('"').next().unwrap()));
        links
            .find(|link| link.contains(text))
            .unwrap_or_else(|| panic!("no link with {text} in {}", self.text))
    }
}

fn decode(text: &str) -> String {
    text.replace("&quot;", "\"")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}
