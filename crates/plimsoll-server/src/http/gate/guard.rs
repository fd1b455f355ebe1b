//! Keeps other web sites out: a browser on this machine can reach a loopback address for them.

use axum::extract::{Request, State};
use axum::http::header::{self, HOST, HeaderName, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::Response;

use super::super::{Problem, Shared};

/// Lets a request through if it names this machine, and, where it changes something, if no other
/// site's page sent it. There are no tokens yet that would tell who asks.
pub(in crate::http) async fn guard(
    State(app): State<Shared>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let authority = authority(request.uri(), request.headers());
    if app.settings.listen.ip().to_canonical().is_loopback()
        && authority
            .as_ref()
            .is_some_and(|authority| !names_this_machine(authority))
    {
        return Err(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "unknown_host",
            "the Host header names another machine, as in a DNS rebinding attack; ask for localhost or 127.0.0.1, and let a reverse proxy send one of them",
        ));
    }
    if !request.method().is_safe() && !is_same_origin(request.headers(), authority.as_ref()) {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "cross_site_request",
            "a page of another site sent this request; only Plimsoll's own page, or a program that is no browser, may change something",
        ));
    }
    Ok(next.run(request).await)
}

/// What the request says it was sent to; HTTP/2 says it in the URI. Unreadable means nobody's.
pub(super) fn authority(uri: &Uri, headers: &HeaderMap) -> Option<Authority> {
    if let Some(authority) = uri.authority() {
        return Some(authority.clone());
    }
    let host = headers.get(HOST)?;
    Some(
        Authority::try_from(host.as_bytes())
            .unwrap_or_else(|_| Authority::from_static("invalid.invalid")),
    )
}

fn names_this_machine(authority: &Authority) -> bool {
    let host = authority.host();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// Browsers say where a request comes from; programs say nothing.
pub(super) fn is_same_origin(headers: &HeaderMap, authority: Option<&Authority>) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = headers.get(ORIGIN) else {
        return true;
    };
    let host = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.split_once("://"))
        .map(|(_, host)| host);
    host.is_some_and(|host| authority.is_some_and(|authority| authority.as_str() == host))
}

/// What browsers are told about every answer.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
];

/// Adds the headers that keep browsers from doing more than the page needs.
pub(in crate::http) async fn security_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}
