//! What went wrong, as a page.

use std::fmt;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use sancho::api::ApiError;

use crate::language::{Language, Words};

/// An answer that is not what was asked for. It travels in the response's extensions, and becomes a page, or JSON, on the way out.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    said: Said,
}

/// What is said in every language.
#[derive(Clone)]
pub(crate) struct Said(Arc<dyn Fn(&'static Words) -> String + Send + Sync>);

impl Said {
    pub(crate) fn new(say: impl Fn(&'static Words) -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(say))
    }

    pub(crate) fn in_words(&self, words: &'static Words) -> String {
        (self.0)(words)
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.in_words(Language::English.words()))
    }
}

impl Problem {
    /// One that is told as it is: what the library says, and what only programs and hand-made requests come to see.
    pub(crate) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        let text = text.into();
        Self::said(status, move |_| text.clone())
    }

    /// One that is told in the language of who asks.
    pub(crate) fn said(
        status: StatusCode,
        say: impl Fn(&'static Words) -> String + Send + Sync + 'static,
    ) -> Self {
        Self {
            status,
            said: Said::new(say),
        }
    }

    /// Its text in a language.
    pub(crate) fn text(&self, words: &'static Words) -> String {
        self.said.in_words(words)
    }

    pub(crate) fn not_found(text: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, text)
    }

    pub(crate) fn forbidden(text: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, text)
    }

    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, text)
    }

    /// Whether the store gives no answer, so that asking again may help.
    pub(crate) fn is_away(&self) -> bool {
        self.status == StatusCode::SERVICE_UNAVAILABLE
    }

    /// What it is called.
    pub(crate) fn title(&self, words: &'static Words) -> &'static str {
        match self.status {
            StatusCode::NOT_FOUND => &words.not_here,
            StatusCode::FORBIDDEN => &words.not_allowed,
            StatusCode::UNAUTHORIZED => &words.who_is_it,
            StatusCode::SERVICE_UNAVAILABLE => &words.store_is_away,
            StatusCode::METHOD_NOT_ALLOWED => &words.not_like_this,
            status if status.is_client_error() => &words.cannot_be_done,
            _ => &words.something_broke,
        }
    }
}

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        let status = match &error {
            ApiError::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            ApiError::NotFound(_) => StatusCode::NOT_FOUND,
            ApiError::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_GATEWAY,
        };
        Self::new(status, error.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
