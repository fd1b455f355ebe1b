//! The mail that tells of messages. Nothing of a name becomes a header: subjects are one line, encoded and folded.

use std::collections::BTreeSet;
use std::time::SystemTime;

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message as Mail};
use plimsoll_core::alert::Severity;
use sha2::{Digest as _, Sha256};

use crate::message::{Event, Message, delivery_key, short_hex};
use crate::text::{beginning, line, lines};

/// A subject of more characters is shortened.
const MOST_SUBJECT: usize = 180;

/// In so many threads a mail is, at most.
const MOST_THREADS: usize = 20;

pub(super) fn mail(
    from: &Mailbox,
    to: &[Mailbox],
    messages: &[Message],
) -> Result<Mail, lettre::error::Error> {
    let key = delivery_key(messages);
    let latest = messages.iter().map(|message| message.at).max();
    let mut builder = Mail::builder()
        .from(from.clone())
        .subject(subject(messages))
        .date(SystemTime::from(latest.unwrap_or_default()))
        .message_id(Some(id(&key, from)))
        // Nobody's absence is told to us.
        .raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ))
        .header(ContentType::TEXT_PLAIN);
    for to in to {
        builder = builder.to(to.clone());
    }
    // All mails about an alert are in one thread: each names the first, also where that was sent together with others.
    let threads: BTreeSet<String> = messages
        .iter()
        .filter(|message| message.thread != key)
        .map(|message| id(&message.thread, from))
        .take(MOST_THREADS)
        .collect();
    if !threads.is_empty() {
        let threads: Vec<_> = threads.into_iter().collect();
        builder = builder
            .in_reply_to(threads.join(" "))
            .references(threads.join(" "));
    }
    builder.body(body(messages))
}

/// A Message-ID made of a key: the same for the same key.
fn id(key: &str, from: &Mailbox) -> String {
    let is_plain = (1..=120).contains(&key.len())
        && key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    let left = if is_plain {
        key.to_owned()
    } else {
        short_hex(&Sha256::digest(key))
    };
    let domain = from.email.domain();
    let domain = if domain.is_ascii() && !domain.starts_with('[') {
        domain
    } else {
        "plimsoll.invalid"
    };
    format!("<{left}@{domain}>")
}

fn subject(messages: &[Message]) -> String {
    // The worst is told first.
    let rank = |message: &Message| (message.event != Event::Resolved, message.severity);
    let Some(worst) = messages.iter().max_by_key(|message| rank(message)) else {
        return "Plimsoll".to_owned();
    };
    let several = match messages.len() {
        1 => String::new(),
        count => format!("{count} messages, first "),
    };
    let text = format!("[{}] {several}{}", mark(worst), line(&worst.headline));
    beginning(&text, MOST_SUBJECT)
}

const fn mark(message: &Message) -> &'static str {
    match (message.event, message.severity) {
        (Event::Resolved, _) => "resolved",
        (Event::Test, _) => "test",
        (Event::Reminder, Severity::Critical) => "still CRITICAL",
        (Event::Reminder, Severity::Warning) => "still warning",
        (Event::Opened | Event::Escalated, Severity::Critical) => "CRITICAL",
        (Event::Opened | Event::Escalated, Severity::Warning) => "warning",
    }
}

fn body(messages: &[Message]) -> String {
    let told: Vec<String> = messages
        .iter()
        .map(|message| {
            let alert = message
                .alert_id
                .map(|id| format!("\nAlert {id}, {}.", line(&message.alert_type)));
            format!(
                "[{}] {}{}",
                mark(message),
                lines(&message.text),
                alert.unwrap_or_default()
            )
        })
        .collect();
    format!("{}\n\n-- \nPlimsoll\n", told.join("\n\n"))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn message(headline: &str) -> Message {
        Message {
            headline: headline.to_owned(),
            text: headline.to_owned(),
            ..Message::test("key-1", Timestamp::UNIX_EPOCH)
        }
    }

    fn formatted(messages: &[Message]) -> String {
        let from: Mailbox = "Plimsoll <plimsoll@example.org>".parse().unwrap();
        let to = ["a@example.org".parse().unwrap()];
        let mail = mail(&from, &to, messages).unwrap();
        String::from_utf8(mail.formatted()).unwrap()
    }

    fn head(messages: &[Message]) -> String {
        formatted(messages)
            .split_once("\r\n\r\n")
            .unwrap()
            .0
            .to_owned()
    }

    #[test]
    fn a_mail_says_that_a_program_wrote_it_and_is_in_its_alerts_thread() {
        let first = head(&[message("one")]);
        assert!(
            first.contains("Auto-Submitted: auto-generated\r\n"),
            "{first}"
        );
        assert!(
            first.contains("Message-ID: <key-1@example.org>\r\n"),
            "{first}"
        );
        assert!(!first.contains("In-Reply-To") && !first.contains("References"));
        let later = Message {
            key: "key-2".to_owned(),
            event: Event::Resolved,
            ..message("one")
        };
        let head = head(&[later]);
        assert!(head.contains("Subject: [resolved] one\r\n"), "{head}");
        assert!(head.contains("In-Reply-To: <key-1@example.org>"), "{head}");
        assert!(head.contains("References: <key-1@example.org>"), "{head}");
    }

    #[test]
    fn several_messages_are_one_mail_that_tells_the_worst_first() {
        let critical = Message {
            key: "key-3".to_owned(),
            thread: "a\r\nBcc: x@y".to_owned(),
            event: Event::Opened,
            severity: Severity::Critical,
            alert_id: Some(7),
            ..message("two")
        };
        let mail = formatted(&[message("one"), critical]);
        assert!(
            mail.contains("Subject: [CRITICAL] 2 messages, first two\r\n"),
            "{mail}"
        );
        assert!(
            mail.contains("<key-1@example.org>") && !mail.contains("Bcc"),
            "{mail}"
        );
        assert!(mail.contains("Alert 7, test."), "{mail}");
    }

    proptest! {
        #[test]
        fn no_name_becomes_a_header(name in any::<String>()) {
            let hostile = format!("{name}\r\nBcc: x@y\r\n\r\n{name}");
            let mut message = message(&hostile);
            message.key = hostile.clone();
            message.alert_type = hostile;
            let head = head(&[message]);
            for line in head.split("\r\n") {
                prop_assert!(line.len() <= 998 && line.is_ascii());
                let is_folded = line.starts_with(' ');
                let known = ["From: ", "To: ", "Subject: ", "Date: ", "Message-ID: ", "Auto-Submitted: ",
                    "Content-Type: ", "Content-Transfer-Encoding: ", "MIME-Version: ", "In-Reply-To: ", "References: "];
                prop_assert!(is_folded || known.iter().any(|known| line.starts_with(known)), "{:?}", line);
            }
            let is_clean = !head.replace("\r\n", "").contains(char::is_control);
            prop_assert!(is_clean, "{:?}", head);
        }
    }
}
