//! What a browser keeps for its user: the colours, and the language.

use axum::http::StatusCode;
use axum::http::header::{HeaderMap, LOCATION, ORIGIN, REFERER, SET_COOKIE};
use axum::response::{IntoResponse, Response};

use crate::app::{Asked, Theme};
use crate::language::Language;
use crate::params::Posted;
use crate::problem::Problem;

pub(crate) async fn choose_theme(
    asked: Asked,
    headers: HeaderMap,
    Posted(posted): Posted,
) -> Response {
    let theme = Theme::named(posted.get("theme")).name();
    keep(&asked, &headers, Theme::COOKIE, theme)
}

pub(crate) async fn choose_language(
    asked: Asked,
    headers: HeaderMap,
    Posted(posted): Posted,
) -> Result<Response, Problem> {
    let language = Language::tagged(posted.get("language"))
        .ok_or_else(|| Problem::invalid("The dashboard does not speak this language."))?;
    Ok(keep(&asked, &headers, Language::COOKIE, language.tag()))
}

/// Has the browser keep it for a year, and leads back to where it was chosen.
fn keep(asked: &Asked, headers: &HeaderMap, name: &str, value: &str) -> Response {
    // Without a path it counts for the folder of this page: for the dashboard, wherever it is mounted. `Secure` would lose it where
    // there is no TLS.
    let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
    let is_secure = origin.is_some_and(|origin| origin.starts_with("https://"));
    let secure = if is_secure { "; Secure" } else { "" };
    let cookie = format!("{name}={value}; Max-Age=31536000; SameSite=Lax; HttpOnly{secure}");
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
