//! What a receiver's answer over HTTP means for what was sent.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use plimsoll_call::http::{Answer, StatusCode};

use crate::error::{SendError, SendErrorCode};

/// Who wants to be left alone for longer is asked again after this.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Whether it was taken. `at` shows the receiver, `key` is the setting that names it.
pub(crate) fn taken(answer: &Answer, at: &str, key: &str, now: Timestamp) -> Result<(), SendError> {
    let status = answer.status;
    if status.is_success() {
        return Ok(());
    }
    let (code, text) = match status {
        _ if status.is_redirection() => (
            SendErrorCode::Refused,
            format!("{at} sends elsewhere ({status}): name that address as `{key}`"),
        ),
        StatusCode::UNAUTHORIZED
        | StatusCode::FORBIDDEN
        | StatusCode::PROXY_AUTHENTICATION_REQUIRED => (
            SendErrorCode::Refused,
            format!("{at} does not let us in ({status}): look at `{key}` and at its secrets"),
        ),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => (
            SendErrorCode::Refused,
            format!("{at} takes nothing there ({status}): look at `{key}`"),
        ),
        StatusCode::BAD_REQUEST
        | StatusCode::GONE
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNSUPPORTED_MEDIA_TYPE
        | StatusCode::UNPROCESSABLE_ENTITY => (
            SendErrorCode::Rejected,
            format!("{at} refuses the message ({status})"),
        ),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            (SendErrorCode::Busy, format!("{at} is busy ({status})"))
        }
        _ => (SendErrorCode::Busy, format!("{at} failed ({status})")),
    };
    Err(SendError {
        retry_after: answer
            .retry_after
            .as_deref()
            .filter(|_| code.retry_helps())
            .and_then(|text| retry_after(text, now)),
        ..SendError::new(code, text)
    })
}

/// `Retry-After`: seconds, or a date.
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    let wait = if text.starts_with(|c: char| c.is_ascii_digit()) {
        Duration::from_secs(text.parse().ok()?)
    } else {
        let at = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
        // What is past is now.
        Duration::try_from(at.duration_since(now)).unwrap_or_default()
    };
    Some(wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, retry_after: Option<&str>) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: retry_after.map(str::to_owned),
            body: b"hush".to_vec(),
            is_cut: false,
        }
    }

    fn now() -> Timestamp {
        "2015-10-21T07:27:00Z".parse().unwrap()
    }

    #[test]
    fn each_status_says_whether_trying_again_helps() {
        for (status, helps, part) in [
            (
                301,
                true,
                "sends elsewhere (301 Moved Permanently): name that address as `url`",
            ),
            (308, true, "sends elsewhere"),
            (400, false, "refuses the message (400"),
            (401, true, "does not let us in"),
            (403, true, "does not let us in"),
            (404, true, "takes nothing there"),
            (405, true, "takes nothing there"),
            (408, true, "failed"),
            (409, true, "failed"),
            (410, false, "refuses"),
            (413, false, "refuses"),
            (415, false, "refuses"),
            (422, false, "refuses"),
            (429, true, "is busy"),
            (500, true, "failed"),
            (502, true, "failed"),
            (503, true, "is busy"),
            (599, true, "failed"),
        ] {
            let error = taken(&answer(status, None), "https://h", "url", now()).unwrap_err();
            assert_eq!(error.retry_helps(), helps, "{status}");
            assert!(error.text.contains(part), "{status}: {error}");
            assert!(error.text.starts_with("https://h ") && !error.text.contains("hush"));
        }
        for status in [200, 201, 202, 204] {
            assert_eq!(taken(&answer(status, Some("9")), "h", "url", now()), Ok(()));
        }
    }

    #[test]
    fn who_says_when_to_come_again_is_believed_within_a_day() {
        let seconds = |status, text| {
            let error = taken(&answer(status, Some(text)), "h", "url", now()).unwrap_err();
            error.retry_after.map(|wait| wait.as_secs())
        };
        for (text, expect) in [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("999999999", Some(86_400)),
            ("99999999999999999999999", None),
            ("Wed, 21 Oct 2015 07:28:00 GMT", Some(60)),
            ("Wed, 21 Oct 2015 07:26:00 GMT", Some(0)),
            ("soon", None),
            ("-5", None),
            ("1.5", None),
            ("", None),
        ] {
            assert_eq!(seconds(429, text), expect, "{text}");
            assert_eq!(seconds(503, text), expect, "{text}");
        }
        assert_eq!(seconds(400, "5"), None);
    }
}
