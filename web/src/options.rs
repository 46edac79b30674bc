//! What the dashboard shows, and to whom.

use std::fmt;
use std::sync::Arc;

use crate::action::Action;

/// Who asks, as far as it is known: the name of HTTP Basic, or what the application around the dashboard put into the request's
/// extensions.
///
/// ```
/// use axum::extract::Request;
/// use axum::middleware::Next;
///
/// async fn who(mut request: Request, next: Next) -> axum::response::Response {
///     request.extensions_mut().insert(sancho_web::User::new("ada"));
///     next.run(request).await
/// }
/// # let _ = who;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User(Arc<str>);

impl User {
    /// The user of this name, which appears in the log beside what they do.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// Their name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// How the dashboard behaves. The defaults are a dashboard for this machine alone.
///
/// ```
/// use sancho_web::{Action, Options};
///
/// let options = Options::new()
///     .user("ada", "correct horse battery staple")
///     .user("guest", "guest")
///     .authorize(|user, action| action == Action::Look || user.is_some_and(|user| user.name() == "ada"))
///     .mask(["password", "token"])
///     .environment("production");
/// # let _ = options;
/// ```
#[derive(Clone, Default)]
pub struct Options {
    pub(crate) users: Vec<(Arc<str>, Arc<str>)>,
    pub(crate) open: bool,
    pub(crate) read_only: bool,
    pub(crate) authorize: Option<Authorize>,
    pub(crate) masked: Vec<Box<str>>,
    pub(crate) environment: Option<Arc<str>>,
    pub(crate) store_name: Option<Arc<str>>,
    pub(crate) hosts: Vec<Box<str>>,
}

pub(crate) type Authorize = Arc<dyn Fn(Option<&User>, Action) -> bool + Send + Sync>;

impl Options {
    /// The defaults: it answers this machine alone, everything may be done, nothing is masked.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets a user in who gives this name and password (HTTP Basic). Repeat it for more. Then it answers other machines as well. The
    /// password goes over the wire as it is: have TLS in front of it.
    #[must_use]
    pub fn user(mut self, name: impl Into<Arc<str>>, password: impl Into<Arc<str>>) -> Self {
        self.users.push((name.into(), password.into()));
        self
    }

    /// Answers whoever asks: the application around the dashboard, or the network, has decided already who may.
    #[must_use]
    pub fn trust_every_request(mut self) -> Self {
        self.open = true;
        self
    }

    /// Asks this function before anything is shown ([`Action::Look`]) or done. What it refuses is not offered, and answered with
    /// 403. It is called on the way of each request: it must not block.
    #[must_use]
    pub fn authorize(
        mut self,
        authorize: impl Fn(Option<&User>, Action) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.authorize = Some(Arc::new(authorize));
        self
    }

    /// Shows everything and does nothing.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Masks arguments, and fields in them, that have one of these names (upper or lower case). An argument has the name of its
    /// parameter where the job is linked into this program. The texts of errors, and tags, are shown without the values that are
    /// masked in their payload, but for those of one or two characters; a search and a filter find nothing by them.
    #[must_use]
    pub fn mask<T: Into<Box<str>>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.masked.extend(names.into_iter().map(Into::into));
        self
    }

    /// Shows this word at the top of each page; `production` stands out.
    #[must_use]
    pub fn environment(mut self, name: impl Into<Arc<str>>) -> Self {
        self.environment = Some(name.into());
        self
    }

    /// Shows this as the name of the store. Defaults to what kind of store it is and where; a URL goes without its password.
    #[must_use]
    pub fn store_name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.store_name = Some(name.into());
        self
    }

    /// Answers requests for this host as well, where it answers this machine alone: without it, only those for `localhost`,
    /// 127.0.0.1 and `[::1]`, so that no page of another site can reach it by a name that it made up.
    #[must_use]
    pub fn host(mut self, name: impl Into<Box<str>>) -> Self {
        self.hosts.push(name.into());
        self
    }

    /// Whether it may be asked by other machines.
    pub(crate) fn is_open(&self) -> bool {
        self.open || !self.users.is_empty()
    }

    /// Whether this may be done.
    pub(crate) fn allows(&self, user: Option<&User>, action: Action) -> bool {
        let changes = action != Action::Look;
        if changes && self.read_only {
            return false;
        }
        self.authorize
            .as_ref()
            .is_none_or(|authorize| authorize(user, action))
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let users: Vec<&str> = self.users.iter().map(|(name, _)| &**name).collect();
        f.debug_struct("Options")
            .field("users", &users)
            .field("open", &self.open)
            .field("read_only", &self.read_only)
            .field("masked", &self.masked)
            .field("environment", &self.environment)
            .field("store_name", &self.store_name)
            .finish_non_exhaustive()
    }
}
