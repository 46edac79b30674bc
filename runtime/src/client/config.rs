//! The configuration of a client.

use std::env;
use std::sync::Arc;
use std::time::Duration;

use super::connect::{GivenUrl, RedisParameter, StoreUrl};
use super::{ClientMiddleware, ClientMiddlewareChain, Surroundings};
use crate::engine::{Middleware, MiddlewareChain};
use crate::job::States;
use crate::job::payload::Wire;

/// How a client finds its store and what it does around a push.
///
/// ```
/// # use std::time::Duration;
/// let config = sancho::Config::new().store("redis://localhost:6379/2").push_timeout(Duration::from_secs(1));
/// ```
#[derive(Clone, Debug)]
#[must_use = "a configuration does nothing by itself"]
pub struct Config {
    store: Option<GivenUrl>,
    redis: Vec<RedisParameter>,
    pub(super) push_timeout: Duration,
    pub(super) wire: Wire,
    pub(super) surroundings: Surroundings,
}

/// How long a push may take by default.
const PUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// The longest that a push may take.
const LONGEST_PUSH: Duration = Duration::from_secs(24 * 60 * 60);

/// The store where nothing names one.
const DEFAULT_STORE: &str = "sqlite:sancho.db";

impl Config {
    /// The configuration that the environment gives: the store of `SANCHO_STORE`, else of the variable that
    /// `REDIS_PROVIDER` names, else of `REDIS_URL`, else `sqlite:sancho.db`.
    pub fn new() -> Self {
        Self {
            store: None,
            redis: Vec::new(),
            push_timeout: PUSH_TIMEOUT,
            wire: Wire::default(),
            surroundings: Surroundings::default(),
        }
    }

    /// The store: `redis://host:6379/0`, `rediss://...`, `redis+unix:///path`, `sqlite:path/to/file.db`, or `memory:`.
    pub fn store(mut self, url: impl Into<String>) -> Self {
        self.store = Some(GivenUrl::from(url));
        self
    }

    /// What is said of a Redis beside its URL, which comes first.
    pub(crate) fn redis_parameters(mut self, parameters: Vec<RedisParameter>) -> Self {
        self.redis = parameters;
        self
    }

    /// How long a push may take, waiting for a store that is away included. Defaults to 3 s; a day at most.
    pub fn push_timeout(mut self, timeout: Duration) -> Self {
        self.push_timeout = timeout.min(LONGEST_PUSH);
        self
    }

    /// The version of Sidekiq that payloads are written for. Defaults to [`Wire::Sidekiq8`]: set it to the oldest version that
    /// shares the Redis. All versions are read, whatever this says.
    pub fn sidekiq_wire(mut self, wire: Wire) -> Self {
        self.wire = wire;
        self
    }

    /// Adds client middleware, inside of what was added before.
    pub fn middleware(mut self, middleware: impl ClientMiddleware) -> Self {
        self.surroundings.middleware.add(middleware);
        self
    }

    /// Changes the order of the client middleware, or takes some out.
    ///
    /// ```
    /// # use sancho::client::{ClientMiddleware, ClientNext, NewJob, Stop};
    /// # struct Tagged;
    /// # struct Timed;
    /// # impl ClientMiddleware for Tagged {
    /// #     async fn call(&self, job: NewJob, next: ClientNext<'_>) -> Result<NewJob, Stop> { next.run(job).await }
    /// # }
    /// # impl ClientMiddleware for Timed {
    /// #     async fn call(&self, job: NewJob, next: ClientNext<'_>) -> Result<NewJob, Stop> { next.run(job).await }
    /// # }
    /// let config = sancho::Config::new().middleware(Tagged).middleware_chain(|chain| {
    ///     chain.insert_before::<Tagged>(Timed);
    /// });
    /// ```
    pub fn middleware_chain(mut self, change: impl FnOnce(&mut ClientMiddlewareChain)) -> Self {
        change(&mut self.surroundings.middleware);
        self
    }

    /// Adds server middleware around the jobs that run inline with this client (`perform_inline`), inside of what was added before. Jobs
    /// from queues have that of their server.
    ///
    /// In the process of a worker there is nothing to add: the client that the server makes for itself, which is the default one there, has
    /// the server's middleware and state. A program that only pushes gives here what it gives its workers, where it runs jobs inline.
    pub fn server_middleware(mut self, middleware: impl Middleware) -> Self {
        self.surroundings.server_middleware.add(middleware);
        self
    }

    /// Gives state to jobs that run inline.
    pub fn state<T: Send + Sync + 'static>(self, value: T) -> Self {
        self.state_arc(Arc::new(value))
    }

    /// Gives state to jobs that run inline, for instance an `Arc<dyn Mailer>`.
    pub fn state_arc<T: ?Sized + Send + Sync + 'static>(mut self, value: Arc<T>) -> Self {
        Arc::make_mut(&mut self.surroundings.states).insert(value);
        self
    }

    /// Whether a store was named here.
    pub(crate) fn names_store(&self) -> bool {
        self.store.is_some()
    }

    /// Has this server middleware around the jobs that run inline, instead of what was added.
    pub(crate) fn with_server_middleware(mut self, chain: MiddlewareChain) -> Self {
        self.surroundings.server_middleware = chain;
        self
    }

    pub(crate) fn with_states(mut self, states: Arc<States>) -> Self {
        self.surroundings.states = states;
        self
    }

    /// Takes over the state of `other` of types that there is none of.
    pub(crate) fn fill_states_from(mut self, other: &States) -> Self {
        Arc::make_mut(&mut self.surroundings.states).fill_from(other);
        self
    }

    /// What surrounds a push or an inline run.
    pub(crate) fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    /// Takes over the middleware of `other`, and its state where this has none.
    pub(crate) fn adopt(&mut self, other: &Surroundings) {
        self.surroundings.adopt(other);
    }

    /// The URL of the store that this names, or the environment: without its password, to be shown.
    ///
    /// # Errors
    /// A URL that names no store.
    pub fn store_name(&self) -> crate::Result<String> {
        self.store_url().map(|url| url.to_string())
    }

    /// The store that this names, or the environment.
    pub(crate) fn store_url(&self) -> crate::Result<StoreUrl> {
        let url = match &self.store {
            Some(url) => StoreUrl::parse(url.as_str(), "the store"),
            None => from_environment(|name| env::var(name).ok().filter(|value| !value.is_empty())),
        };
        url?.with_parameters(&self.redis)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

fn from_environment(get: impl Fn(&str) -> Option<String>) -> crate::Result<StoreUrl> {
    match named_store(get)? {
        Some((variable, url)) => StoreUrl::parse(&url, &variable),
        None => StoreUrl::parse(DEFAULT_STORE, "the default store"),
    }
}

/// The variable that names the store, and its URL.
///
/// # Errors
/// `REDIS_PROVIDER` names a variable that is not set.
pub(crate) fn named_store(
    get: impl Fn(&str) -> Option<String>,
) -> crate::Result<Option<(String, String)>> {
    let named = |name: &str| Some((name.to_owned(), get(name)?));
    if let Some(store) = named("SANCHO_STORE") {
        return Ok(Some(store));
    }
    if let Some(variable) = get("REDIS_PROVIDER") {
        return named(&variable).map(Some).ok_or_else(|| {
            let is_name = |part: char| part.is_ascii_alphanumeric() || part == '_';
            if !variable.chars().all(is_name) {
                // A URL, with a password perhaps.
                return crate::Error::config(
                    "REDIS_PROVIDER is not the name of a variable: set it to the name of the variable that has the URL of your Redis, or set REDIS_URL",
                );
            }
            crate::Error::config(format!(
                "REDIS_PROVIDER names the variable {variable}, which is not set: set {variable} to the URL of your Redis"
            ))
        });
    }
    Ok(named("REDIS_URL"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(variables: &[(&str, &str)]) -> Result<String, String> {
        let get = |name: &str| {
            variables
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        };
        from_environment(get)
            .map(|url| url.to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_environment_is_asked_in_order() {
        let redis = ("REDIS_URL", "redis://a:1/0");
        assert_eq!(chosen(&[]).unwrap(), "sqlite:sancho.db");
        assert_eq!(chosen(&[redis]).unwrap(), "redis://a:1/0");
        assert_eq!(
            chosen(&[redis, ("REDIS_PROVIDER", "MY"), ("MY", "redis://b:2/0")]).unwrap(),
            "redis://b:2/0"
        );
        assert_eq!(
            chosen(&[redis, ("SANCHO_STORE", "sqlite:x.db")]).unwrap(),
            "sqlite:x.db"
        );
    }

    #[test]
    fn a_variable_that_is_wrong_is_named() {
        assert!(
            chosen(&[("REDIS_PROVIDER", "MY")])
                .unwrap_err()
                .contains("set MY")
        );
        assert!(
            chosen(&[("SANCHO_STORE", "postgres://x")])
                .unwrap_err()
                .contains("SANCHO_STORE")
        );
    }
}
