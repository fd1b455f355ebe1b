//! Validators: an answer that is still the same is not sent again.
//!
//! Where a handler knows what its answer is made of ([`Made`]), the answer need not even be made. Of every
//! other JSON answer the validator is over its text. A browser or a proxy may keep answers, and must ask
//! whether they still hold; `Date` says for when they do.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, DATE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::super::Shared;
use crate::watch::VisitState;

/// Texts up to this long get a validator of their own; longer ones are streamed.
const LONGEST_TEXT: u64 = 4 << 20;

/// What an answer is made of.
pub(in crate::http) struct Made(DefaultHasher);

impl Made {
    /// Of a question, as it was asked.
    pub(in crate::http) fn of(question: &axum::http::Uri) -> Self {
        let mut made = Self(DefaultHasher::new());
        env!("CARGO_PKG_VERSION").hash(&mut made.0);
        question.path().hash(&mut made.0);
        question.query().hash(&mut made.0);
        made
    }

    /// And of this.
    pub(in crate::http) fn and(mut self, part: impl Hash) -> Self {
        part.hash(&mut self.0);
        self
    }

    /// And of what is known of a database.
    pub(in crate::http) fn and_visit_state(self, known: &VisitState) -> Self {
        self.and(known.snapshot.as_ref().map(|snapshot| snapshot.measured_at))
            .and(known.failure.as_ref().map(|failure| failure.failed_at))
            .and(known.refreshing)
    }

    /// The validator. Weak: compression changes the bytes.
    pub(in crate::http) fn tag(&self) -> String {
        format!("W/\"{:016x}\"", self.0.finish())
    }
}

/// An answer that is still what the client has; none where it must be made.
pub(in crate::http) fn unchanged(asked: &HeaderMap, tag: &str) -> Option<Response> {
    has(asked, tag).then(|| with(StatusCode::NOT_MODIFIED.into_response(), tag))
}

/// The answer with its validator.
pub(in crate::http) fn with(mut answer: Response, tag: &str) -> Response {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        answer.headers_mut().insert(ETAG, tag);
    }
    answer
}

fn has(asked: &HeaderMap, tag: &str) -> bool {
    asked
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|given| given == "*" || given.trim_start_matches("W/") == tag.trim_start_matches("W/"))
}

/// Gives every JSON answer its date, its validator and the leave to be kept.
pub(in crate::http) async fn validate(
    State(app): State<Shared>,
    request: Request,
    next: Next,
) -> Response {
    let now = app.watch.clock().now();
    let is_read = request.method() == Method::GET || request.method() == Method::HEAD;
    let asked = request.headers().clone();
    let question = request.uri().clone();
    let mut answer = next.run(request).await;
    if is_read
        && answer.status() == StatusCode::OK
        && !answer.headers().contains_key(ETAG)
        && is_json(answer.headers())
        && answer
            .size_hint()
            .exact()
            .is_some_and(|bytes| bytes <= LONGEST_TEXT)
    {
        let (parts, body) = answer.into_parts();
        // the body is in memory already
        let text = to_bytes(body, usize::MAX).await.unwrap_or_default();
        let tag = Made::of(&question).and(&text[..]).tag();
        answer = unchanged(&asked, &tag)
            .unwrap_or_else(|| with(Response::from_parts(parts, Body::from(text)), &tag));
    }
    let headers = answer.headers_mut();
    if headers.contains_key(ETAG) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
    if let Ok(date) = HeaderValue::from_str(&date(now)) {
        headers.insert(DATE, date);
    }
    answer
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind == "application/json")
}

/// As RFC 9110 writes a date.
fn date(now: jiff::Timestamp) -> String {
    now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_told_by_all_that_the_answer_is_made_of() {
        let tag = |uri: &str, part: u64| {
            let uri = uri.parse().unwrap();
            Made::of(&uri).and(part).tag()
        };
        assert_eq!(tag("/a?b=1", 1), tag("/a?b=1", 1));
        for other in [
            tag("/a?b=2", 1),
            tag("/b?b=1", 1),
            tag("/a?b=1", 2),
            tag("/a", 1),
        ] {
            assert_ne!(tag("/a?b=1", 1), other);
        }
    }

    #[test]
    fn what_the_client_has_is_told_by_any_of_its_tags() {
        let asked = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, value.parse().unwrap());
            headers
        };
        for (given, expect) in [
            ("W/\"1\"", true),
            ("\"1\"", true),
            ("\"2\", W/\"1\"", true),
            ("*", true),
            ("\"2\"", false),
            ("1", false),
        ] {
            assert_eq!(
                unchanged(&asked(given), "W/\"1\"").is_some(),
                expect,
                "{given}"
            );
        }
        assert!(unchanged(&HeaderMap::new(), "W/\"1\"").is_none());
    }

    #[test]
    fn a_date_is_written_as_http_does() {
        let at = "1994-11-06T08:49:37Z".parse().unwrap();
        assert_eq!(date(at), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
