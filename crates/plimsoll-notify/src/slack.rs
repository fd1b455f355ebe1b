//! Incoming webhooks of Slack, and of what takes the same: Mattermost, Rocket.Chat.

use jiff::Timestamp;
use plimsoll_core::alert::Severity;
use serde::Serialize;

use crate::answered::taken;
use crate::endpoint::Endpoint;
use crate::error::SendError;
use crate::message::{Event, Message};
use crate::text::{beginning, lines};

/// Slack shortens what is longer than 4,000 characters, Mattermost refuses what is longer than 16,383.
const MOST_CHARACTERS: usize = 3_800;
/// Of each of several messages no more is told.
const MOST_EACH: usize = 900;

#[derive(Clone)]
pub(crate) struct Slack {
    pub(crate) endpoint: Endpoint,
}

#[derive(Serialize)]
struct Posted {
    text: String,
    /// Names are no markup, and addresses in them are not looked up.
    mrkdwn: bool,
    unfurl_links: bool,
    unfurl_media: bool,
}

impl Slack {
    pub(crate) fn target(&self) -> String {
        self.endpoint.target()
    }

    pub(crate) async fn send(&self, messages: &[Message], now: Timestamp) -> Result<(), SendError> {
        let answer = self.endpoint.post(posted(messages), Vec::new()).await?;
        taken(&answer, &self.target(), "url", now).map_err(|error| match reason(&answer.body) {
            Some(reason) => SendError {
                text: format!("{}: {reason}", error.text),
                ..error
            },
            None => error,
        })
    }
}

fn posted(messages: &[Message]) -> Vec<u8> {
    let posted = Posted {
        text: text(messages),
        mrkdwn: false,
        unfurl_links: false,
        unfurl_media: false,
    };
    // Nothing of it can fail to be written.
    serde_json::to_vec(&posted).unwrap_or_default()
}

fn text(messages: &[Message]) -> String {
    let most = if messages.len() == 1 {
        MOST_CHARACTERS
    } else {
        MOST_EACH
    };
    let mut out = String::new();
    for (at, message) in messages.iter().enumerate() {
        // Shortened before it is escaped, so that no escape is cut in two.
        let text = escape(&beginning(&lines(&message.text), most));
        let one = format!("{} {text}", mark(message));
        let is_room = out.chars().count() + one.chars().count() <= MOST_CHARACTERS * 2;
        if at > 0 && !is_room {
            let left = messages.len() - at;
            out.push_str(&format!("\n\n… and {left} more: plimsoll alerts"));
            break;
        }
        if at > 0 {
            out.push_str("\n\n");
        }
        out.push_str(&one);
    }
    out
}

/// What is seen first.
const fn mark(message: &Message) -> &'static str {
    match (message.event, message.severity) {
        (Event::Resolved, _) => "🟢 resolved:",
        (Event::Test, _) => "⚪ test:",
        (Event::Reminder, Severity::Critical) => "🔴 still critical:",
        (Event::Reminder, Severity::Warning) => "🟡 still a warning:",
        (Event::Opened | Event::Escalated, Severity::Critical) => "🔴 critical:",
        (Event::Opened | Event::Escalated, Severity::Warning) => "🟡 warning:",
    }
}

/// Text that names nobody and links to nothing. Slack knows `<!channel>`, Mattermost also `@channel` and `[x](y)`: what
/// has no width keeps their signs apart.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut before = None;
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '@' => out.push_str("@\u{200b}"),
            '(' if before == Some(']') => out.push_str("\u{200b}("),
            c => out.push(c),
        }
        before = Some(c);
    }
    out
}

/// Slack answers with one word, such as `invalid_payload`. What is no such word is not repeated.
fn reason(body: &[u8]) -> Option<&str> {
    let word = std::str::from_utf8(body).ok()?.trim();
    let is_word =
        (1..=40).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    is_word.then_some(word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(text: &str) -> Message {
        Message {
            text: text.to_owned(),
            ..Message::test("k", Timestamp::UNIX_EPOCH)
        }
    }

    #[test]
    fn nobody_is_named_and_nothing_linked() {
        for (text, expect) in [
            (
                "<!channel> & <@U1>",
                "&lt;!channel&gt; &amp; &lt;@\u{200b}U1&gt;",
            ),
            ("@all a@b", "@\u{200b}all a@\u{200b}b"),
            ("[x](http://e)", "[x]\u{200b}(http://e)"),
            ("f(x) [1] (2)", "f(x) [1] (2)"),
            ("&lt;!here&gt;", "&amp;lt;!here&amp;gt;"),
        ] {
            assert_eq!(escape(text), expect);
        }
        assert_eq!(
            super::text(&[message("a\u{202e}b\r\nc")]),
            "⚪ test: a\\u{202e}b\\r\nc"
        );
    }

    #[test]
    fn a_long_text_and_many_messages_are_shortened_and_say_so() {
        let long = message(&"<".repeat(10_000));
        let text = super::text(std::slice::from_ref(&long));
        assert!(text.ends_with('…') && text.matches("&lt;").count() == MOST_CHARACTERS - 1);
        assert!(text.chars().count() < 16_383);
        let many = vec![message(&"x".repeat(800)); 50];
        let text = super::text(&many);
        assert!(
            text.ends_with(" more: plimsoll alerts") && text.chars().count() < 8_000,
            "{text}"
        );
    }

    #[test]
    fn only_a_word_of_slacks_is_repeated() {
        for (body, word) in [
            (&b"invalid_payload\n"[..], Some("invalid_payload")),
            (b"no_service", Some("no_service")),
            (b"<html>hush", None),
            (b"T0HUSH", None),
            (b"", None),
            (b"\xff", None),
        ] {
            assert_eq!(reason(body), word);
        }
    }

    proptest! {
        #[test]
        fn an_escaped_text_holds_no_mention_and_is_read_back(text in "[&<>@!a-z\\[\\]() ;]{0,60}") {
            let escaped = escape(&text);
            prop_assert!(!escaped.contains(['<', '>']));
            prop_assert!(!escaped.contains("](") && !escaped.contains("@a"));
            let back = escaped
                .replace('\u{200b}', "")
                .replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&amp;", "&");
            prop_assert_eq!(back, text);
        }
    }
}
