//! What a query or a form says. What it does not say, or says wrongly, has a default: a link that somebody made up is no error.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Form, FromRequest, FromRequestParts, RawForm, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;

use crate::problem::Problem;

/// The most fields of a form: far more than a page has rows, and each may be a job to act on.
const MOST: usize = 1_000;

const TOO_MANY: &str = "Nothing was done: the form has more than 1,000 fields. Act on fewer jobs at a time, or on all of them.";

/// How long a form may take to come.
const PATIENCE: Duration = Duration::from_secs(10);

/// The names and values of a query or a form.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params(Vec<(String, String)>);

/// Those of a form.
#[derive(Clone, Debug, Default)]
pub(crate) struct Posted(pub(crate) Params);

impl Params {
    /// The first value of this name; empty where there is none.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// All values of this name.
    pub(crate) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| &**value)
    }

    /// The first value of this name as a number.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.get(name).parse().ok()
    }

    /// All of them.
    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// How many rows a page is to have.
    pub(crate) fn rows(&self) -> usize {
        match self.get("rows") {
            "50" => 50,
            "100" => 100,
            "200" => 200,
            _ => 25,
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = axum::extract::Query::<Vec<(String, String)>>::from_request_parts(parts, state);
        match query.await {
            Ok(axum::extract::Query(pairs)) => Ok(Self(pairs)),
            Err(error) => Err(Problem::new(StatusCode::BAD_REQUEST, error.body_text())),
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Posted {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = tokio::time::timeout(PATIENCE, RawForm::from_request(request, state));
        let RawForm(body) = match body.await {
            Ok(read) => read.map_err(|error| Problem::new(error.status(), error.body_text()))?,
            Err(_) => {
                let why = "Nothing was done: the form did not come within ten seconds.";
                return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, why));
            }
        };
        if body.split(|byte| *byte == b'&').count() > MOST {
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, TOO_MANY));
        }
        let form = Request::post("/")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(body))
            .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.to_string()))?;
        match Form::<Vec<(String, String)>>::from_request(form, state).await {
            Ok(Form(pairs)) => Ok(Self(Params(pairs))),
            Err(error) => Err(Problem::new(error.status(), error.body_text())),
        }
    }
}
