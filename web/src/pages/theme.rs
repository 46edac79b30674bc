//! Choosing the colours.

use axum::http::StatusCode;
use axum::http::header::{HeaderMap, LOCATION, REFERER, SET_COOKIE};
use axum::response::{IntoResponse, Response};

use crate::app::{Asked, Theme};
use crate::params::Posted;

pub(crate) async fn choose(asked: Asked, headers: HeaderMap, Posted(posted): Posted) -> Response {
    let theme = Theme::named(posted.get("theme")).name();
    // Without a path it counts for the folder of this page: for the dashboard, wherever it is mounted.
    let cookie = format!(
        "{}={theme}; Max-Age=31536000; SameSite=Lax; HttpOnly",
        Theme::COOKIE
    );
    let to = headers
        .get(REFERER)
        .and_then(|referer| referer.to_str().ok())
        .and_then(path_of)
        .map_or_else(|| asked.to(""), ToOwned::to_owned);
    (
        StatusCode::SEE_OTHER,
        [(SET_COOKIE, cookie), (LOCATION, to)],
    )
        .into_response()
}

/// The path and query of a page of the same site, as the browser names it.
fn path_of(referer: &str) -> Option<&str> {
    let (_, rest) = referer.split_once("://")?;
    let path = &rest[rest.find('/')?..];
    // Browsers leave tabs out, and take a backslash for a slash.
    let is_odd = |c: char| c == '\\' || c.is_control();
    (!path.starts_with("//") && !path.contains(is_odd)).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_leads_back_to_a_page_of_this_site() {
        assert_eq!(path_of("http://a.example/x/busy?b=1"), Some("/x/busy?b=1"));
        assert_eq!(path_of("http://a.example//evil.example/"), None);
        assert_eq!(
            path_of("http://a.example/\\evil.example"),
            None.or(path_of(""))
        );
        assert_eq!(path_of("http://a.example/\t/evil.example"), None);
        assert_eq!(path_of("nothing"), None);
    }
}
