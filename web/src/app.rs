//! The router, and what its handlers share.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::StatusCode;
use axum::http::header::{COOKIE, HeaderMap};
use axum::http::request::Parts;
use axum::middleware;
use axum::routing::{get, post};
use sancho::api::Api;
use sancho::job::Timestamp;
use tower_http::compression::CompressionLayer;

use crate::action::Action;
use crate::language::{Language, Words};
use crate::links::Root;
use crate::live::Live;
use crate::options::{Options, User};
use crate::problem::Problem;
use crate::snapshot::Snapshots;
use crate::sweeps::Sweeps;
use crate::{assets, guard, live, pages, rest};

/// The dashboard for this machine alone, for any path of any application: see [`router_with`].
///
/// Whose request it is, it knows from axum's `ConnectInfo`: without it (`into_make_service_with_connect_info`), and behind a
/// proxy, it refuses all of them, and says what to do.
pub fn router(api: Api) -> Router {
    router_with(api, Options::new())
}

/// The dashboard, for any path of any application.
///
/// Its links are relative, so that they are right under any prefix (`nest`) and behind proxies. A proxy that takes a prefix away and
/// serves the root without a slash at its end is to name the prefix in `X-Forwarded-Prefix`.
pub fn router_with(api: Api, options: Options) -> Router {
    let app = App::new(api, options);
    Router::new()
        .route("/", get(pages::dashboard::show))
        .route("/busy", get(pages::busy::show).post(pages::busy::act))
        .route("/queues", get(pages::queues::show).post(pages::queues::act))
        .route("/queue", get(pages::queue::show).post(pages::queue::act))
        .route(
            "/scheduled",
            get(pages::set::scheduled).post(pages::set::act_on_scheduled),
        )
        .route(
            "/retries",
            get(pages::set::retries).post(pages::set::act_on_retries),
        )
        .route("/dead", get(pages::set::dead).post(pages::set::act_on_dead))
        .route("/job", get(pages::job::show))
        .route("/payload", get(pages::job::payload))
        .route("/find", get(pages::find::show))
        .route("/errors", get(pages::errors::show).post(pages::errors::act))
        .route("/search", get(pages::search::show))
        .route("/cron", get(pages::cron::show).post(pages::cron::act))
        .route("/metrics", get(pages::metrics::show))
        .route("/sweep", get(pages::sweep::show))
        .route("/theme", post(pages::choices::choose_theme))
        .route("/language", post(pages::choices::choose_language))
        .route("/events", get(live::events))
        .route("/stats", get(rest::sidekiq_stats))
        .route("/stats/queues", get(rest::sidekiq_queues))
        .nest("/api", rest::routes())
        .route("/assets/{name}", get(assets::serve))
        .fallback(pages::missing)
        .layer(middleware::from_fn_with_state(app.clone(), guard::guard))
        .layer(CompressionLayer::new())
        .with_state(app)
}

/// What handlers share.
#[derive(Clone)]
pub(crate) struct App(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) api: Api,
    pub(crate) options: Options,
    pub(crate) store_name: Arc<str>,
    pub(crate) snapshots: Snapshots,
    pub(crate) live: Live,
    pub(crate) sweeps: Sweeps,
}

/// A request, as the pages need it.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) app: App,
    pub(crate) root: Root,
    /// The path below the root.
    pub(crate) path: String,
    pub(crate) user: Option<User>,
    pub(crate) theme: Theme,
    /// What is said, in the language of who asks.
    pub(crate) words: &'static Words,
    pub(crate) now: Timestamp,
}

/// The colours that were chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Theme {
    /// Those of the system.
    #[default]
    System,
    Light,
    Dark,
}

impl App {
    fn new(api: Api, options: Options) -> Self {
        let named = options.store_name.clone();
        Self(Arc::new(Inner {
            store_name: named.unwrap_or_else(|| format!("{:?}", api.client().store()).into()),
            snapshots: Snapshots::default(),
            live: Live::default(),
            sweeps: Sweeps::default(),
            api,
            options,
        }))
    }
}

impl Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("api", &self.api)
            .finish_non_exhaustive()
    }
}

impl Asked {
    pub(crate) fn read(parts: &Parts, app: &App) -> Self {
        let asked = parts
            .extensions
            .get::<OriginalUri>()
            .map_or_else(|| parts.uri.path(), |uri| uri.0.path());
        let prefix = parts
            .headers
            .get("x-forwarded-prefix")
            .and_then(|prefix| prefix.to_str().ok());
        let theme = cookie(&parts.headers, Theme::COOKIE).unwrap_or_default();
        let language = cookie(&parts.headers, Language::COOKIE);
        Self {
            root: Root::of(parts.uri.path(), asked, prefix),
            path: parts.uri.path().to_owned(),
            user: parts.extensions.get::<User>().cloned(),
            theme: Theme::named(theme),
            words: Language::of(&parts.headers, language).words(),
            now: app.api.now(),
            app: app.clone(),
        }
    }

    /// Whether this user may do this.
    pub(crate) fn may(&self, action: Action) -> bool {
        self.app.options.allows(self.user.as_ref(), action)
    }

    /// Refuses what this user may not do.
    pub(crate) fn permit(&self, action: Action) -> Result<(), Problem> {
        if self.may(action) {
            return Ok(());
        }
        let (user, name) = (self.user_name(), action.name());
        tracing::warn!(target: "sancho::audit", user, action = name, "{user} may not do {name}");
        let read_only = self.app.options.read_only;
        Err(Problem::said(StatusCode::FORBIDDEN, move |words| {
            let why = if read_only {
                &words.is_read_only
            } else {
                &words.may_not
            };
            why.to_string()
        }))
    }

    /// Refuses what this user may not do; the rest leaves a line in the log.
    pub(crate) fn begin(&self, action: Action, what: &str) -> Result<(), Problem> {
        self.permit(action)?;
        let (user, name) = (self.user_name(), action.name());
        // What others wrote breaks no line.
        let what: String = what.chars().filter(|c| !c.is_control()).take(200).collect();
        tracing::info!(target: "sancho::audit", user, action = name, what, "{user} does {name}: {what}");
        Ok(())
    }

    fn user_name(&self) -> &str {
        self.user.as_ref().map_or("-", User::name)
    }

    /// A link to `path` below the root.
    pub(crate) fn to(&self, path: &str) -> String {
        self.root.to(path)
    }
}

impl FromRequestParts<App> for Asked {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        Ok(Self::read(parts, app))
    }
}

/// What the browser keeps under this name.
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(COOKIE).into_iter();
    let mut pairs = cookies
        .filter_map(|cookie| cookie.to_str().ok())
        .flat_map(|cookie| cookie.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let kept = pairs.find(|(kept, _)| *kept == name);
    kept.map(|(_, value)| value)
}

impl Theme {
    pub(crate) const COOKIE: &'static str = "sancho_theme";

    pub(crate) fn named(name: &str) -> Self {
        match name {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::System,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// What the page calls it.
    pub(crate) fn word(self, words: &'static Words) -> &'static str {
        match self {
            Self::System => &words.theme_system,
            Self::Light => &words.theme_light,
            Self::Dark => &words.theme_dark,
        }
    }

    /// What a click on the switch chooses.
    pub(crate) fn next(self) -> Self {
        match self {
            Self::System => Self::Dark,
            Self::Dark => Self::Light,
            Self::Light => Self::System,
        }
    }
}
