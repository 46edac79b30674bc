//! What stands before every handler: who may ask, whether their browser was made to, and the headers that keep it safe.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderMap, HeaderName,
    HeaderValue, ORIGIN, REFERRER_POLICY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{Method, StatusCode, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq as _;

use crate::action::Action;
use crate::app::{App, Asked};
use crate::options::{Options, User};
use crate::problem::Problem;
use crate::{page, rest};

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What proxies add to the requests that they pass on.
const PROXIES: [&str; 7] = [
    "forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
];

pub(crate) async fn guard(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let allowed = allow(&app.options, &mut request);
    let method = request.method().clone();
    let (parts, body) = request.into_parts();
    let asked = Asked::read(&parts, &app);
    let response = match allowed {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(problem) => problem.into_response(),
    };
    let mut response = explained(response, &asked, &method).await;
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    let opener = HeaderName::from_static("cross-origin-opener-policy");
    headers.insert(opener, HeaderValue::from_static("same-origin"));
    let resource = HeaderName::from_static("cross-origin-resource-policy");
    headers.insert(resource, HeaderValue::from_static("same-origin"));
    // What jobs carry stays in no cache.
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

fn allow(options: &Options, request: &mut Request) -> Result<(), Problem> {
    if let Some(user) = known(options, request.headers())? {
        request.extensions_mut().insert(user);
    }
    if !options.is_open() {
        only_this_machine(options, request)?;
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        same_site(request.headers())?;
    }
    let user = request.extensions().get::<User>();
    if !options.allows(user, Action::Look) {
        return Err(Problem::said(StatusCode::FORBIDDEN, |w| {
            w.may_not_look.to_string()
        }));
    }
    Ok(())
}

/// The user whose name and password these are. Without users, nobody is asked.
fn known(options: &Options, headers: &HeaderMap) -> Result<Option<User>, Problem> {
    if options.users.is_empty() {
        return Ok(None);
    }
    let given = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| {
            let (scheme, credentials) = value.split_once(' ')?;
            let is_basic = scheme.eq_ignore_ascii_case("basic");
            is_basic.then(|| STANDARD.decode(credentials.trim()).ok())?
        })
        .unwrap_or_default();
    // All of them are compared, so that the time it takes tells nothing.
    let mut known = None;
    for (name, password) in &options.users {
        let expected = format!("{name}:{password}");
        if bool::from(expected.as_bytes().ct_eq(&given)) {
            known = Some(User::new(name.clone()));
        }
    }
    known
        .map(Some)
        .ok_or_else(|| Problem::said(StatusCode::UNAUTHORIZED, |w| w.wants_password.to_string()))
}

/// Refuses requests of other machines, those that came through a proxy, and those for a name that is not this machine's.
fn only_this_machine(options: &Options, request: &Request) -> Result<(), Problem> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let is_near = peer.is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback());
    // Browsers have no HTTP 1.0 any more; a proxy that names nobody may have it.
    let through_proxy = request.version() < Version::HTTP_11
        || request.headers().keys().any(|name| {
            let name = name.as_str();
            name.starts_with("x-forwarded-") || PROXIES.contains(&name)
        });
    if !is_near || through_proxy {
        return Err(Problem::forbidden(
            "This dashboard answers its own machine alone. To open it to others, give it users (Options::user, or SANCHO_WEB_USER for --web), or \
             let what is around it decide (Options::trust_every_request).",
        ));
    }
    let host = request
        .headers()
        .get(HOST)
        .and_then(|host| host.to_str().ok());
    let host = host.or_else(|| request.uri().host()).unwrap_or_default();
    let name = without_port(host);
    let is_ours = ["localhost", "127.0.0.1", "[::1]"].contains(&name)
        || options.hosts.iter().any(|host| **host == *name);
    if !is_ours {
        return Err(Problem::forbidden(format!(
            "This dashboard does not answer for the host {name:?}: ask for localhost, or name the host in Options::host."
        )));
    }
    Ok(())
}

/// Refuses what another site made a browser send.
fn same_site(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let refuse = || {
        Err(Problem::said(StatusCode::FORBIDDEN, |w| {
            w.other_site.to_string()
        }))
    };
    match text(HeaderName::from_static("sec-fetch-site")) {
        Some("same-origin") => {}
        Some(_) => return refuse(),
        None => {}
    }
    // Browsers name the origin of every form that they send; a program that names none was made by nobody else.
    let Some(origin) = text(ORIGIN) else {
        return Ok(());
    };
    let origin = origin.split_once("://").map_or("", |(_, host)| host);
    let hosts = [HeaderName::from_static("x-forwarded-host"), HOST];
    let is_same = !origin.is_empty() && hosts.into_iter().any(|name| text(name) == Some(origin));
    if is_same { Ok(()) } else { refuse() }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    }
}

/// An error as a page, or as JSON below `/api`.
async fn explained(mut response: Response, asked: &Asked, method: &Method) -> Response {
    let status = response.status();
    let problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem,
        None if status == StatusCode::METHOD_NOT_ALLOWED => Problem::new(
            status,
            format!("{} cannot be asked for with {method}.", asked.path),
        ),
        None => return response,
    };
    let mut explained = if rest::is_rest(&asked.path) {
        rest::problem(&problem)
    } else {
        page::problem(asked, &problem).await
    };
    if problem.status == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Basic realm=\"sancho\", charset=\"UTF-8\"");
        explained.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    if let Some(allow) = response.headers_mut().remove("allow") {
        explained.headers_mut().insert("allow", allow);
    }
    explained
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn what_another_site_sends_is_refused() {
        let same = |pairs: &[(&'static str, &'static str)]| same_site(&headers(pairs)).is_ok();
        assert!(same(&[]));
        assert!(same(&[("sec-fetch-site", "same-origin")]));
        assert!(same(&[
            ("origin", "https://a.example"),
            ("host", "a.example")
        ]));
        assert!(same(&[
            ("origin", "http://a.example"),
            ("x-forwarded-host", "a.example"),
            ("host", "b")
        ]));
        for site in ["cross-site", "same-site", "none", "?"] {
            let headers = [("sec-fetch-site", site)];
            assert!(!same(&headers), "{site}");
        }
        for origin in [
            "null",
            "https://b.example",
            "https://a.example:8080",
            "x://",
        ] {
            let headers = [("origin", origin), ("host", "a.example")];
            assert!(!same(&headers), "{origin}");
        }
        assert!(!same(&[
            ("sec-fetch-site", "same-origin"),
            ("origin", "https://b.example"),
            ("host", "a.example")
        ]));
    }

    #[test]
    fn a_host_is_known_without_its_port() {
        assert_eq!(without_port("localhost:7433"), "localhost");
        assert_eq!(without_port("[::1]:7433"), "[::1]");
        assert_eq!(without_port("[::1]"), "[::1]");
    }
}
