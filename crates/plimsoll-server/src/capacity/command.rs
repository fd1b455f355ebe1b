//! A command that says what a volume has: a number of bytes, or JSON.

use plimsoll_call::{Program, Wanted};
use plimsoll_core::disk::pulse::Space;
use plimsoll_core::name::visible;
use serde::Deserialize;

use super::number;

/// Whether what a program prints to its standard error is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Complaints {
    /// To the person who looks for what is wrong.
    Told,
    /// Answers, logs and what is kept have none of it.
    #[default]
    Hidden,
}

/// So many bytes of complaints are read,
const MOST_HEARD: u64 = 4096;
/// and so many characters told.
const MOST_SAID: usize = 200;
/// More than this is not read.
const MOST_BYTES: u64 = 64 << 10;

/// What it may print, if it is more than a number.
#[derive(Deserialize)]
struct Printed {
    capacity_bytes: u64,
    used_bytes: Option<u64>,
    available_bytes: Option<u64>,
    inodes_total: Option<u64>,
    inodes_available: Option<u64>,
}

/// Runs it. What it prints to its standard error is told to whoever asks here, and to nobody else: it may hold a secret.
pub(super) async fn ask(command: &Program, complaints: Complaints) -> Result<Space, String> {
    let asked = ask_quietly(command).await;
    match (asked, complaints) {
        (Err(reason), Complaints::Told) => Err(match said(command).await {
            Some(said) => format!("{reason}; it says: {said}"),
            None => reason,
        }),
        (asked, _) => asked,
    }
}

async fn ask_quietly(command: &Program) -> Result<Space, String> {
    let program = &command.program;
    let ran = command.run(None, Wanted::Output(MOST_BYTES)).await;
    let ran = ran.map_err(|error| error.to_string())?;
    if !ran.status.success() {
        return Err(format!("{program} failed ({})", ran.status));
    }
    read(&ran.text).map_err(|reason| format!("{program} prints {reason}"))
}

/// What it complains of when it is run once more, on one line and for people; none where that is nothing.
async fn said(command: &Program) -> Option<String> {
    let ran = command
        .run(None, Wanted::Complaint(MOST_HEARD))
        .await
        .ok()?;
    let text = String::from_utf8_lossy(&ran.text).into_owned();
    let line = text.lines().rfind(|line| !line.trim().is_empty())?;
    let line: String = line.trim().chars().take(MOST_SAID).collect();
    Some(visible(&line).into_owned())
}

/// A number of bytes, or JSON.
fn read(text: &[u8]) -> Result<Space, String> {
    let text = std::str::from_utf8(text).map_err(|_| "what is not UTF-8".to_owned())?;
    let text = text.trim();
    if let Ok(bytes) = text.parse::<u64>() {
        return checked(number(bytes));
    }
    let printed: Printed = serde_json::from_str(text).map_err(|_| {
        "neither a number of bytes nor JSON with capacity_bytes, used_bytes and available_bytes"
            .to_owned()
    })?;
    checked(Space {
        used_bytes: printed.used_bytes,
        available_bytes: printed.available_bytes,
        inodes_total: printed.inodes_total,
        inodes_available: printed.inodes_available,
        ..number(printed.capacity_bytes)
    })
}

/// Whether that can be a volume. What is used and what is available complete each other where one is missing; a reserve
/// that nobody has told of counts as used.
pub(super) fn checked(space: Space) -> Result<Space, String> {
    let capacity = space.capacity_bytes;
    if capacity == 0 {
        return Err("a capacity of 0 bytes".to_owned());
    }
    for (what, bytes) in [
        ("used", space.used_bytes),
        ("available", space.available_bytes),
    ] {
        if bytes.is_some_and(|bytes| bytes > capacity) {
            return Err(format!("more {what} bytes than the capacity"));
        }
    }
    let both = space.used_bytes.zip(space.available_bytes);
    // They may be read one after the other.
    let most = capacity.saturating_add(capacity / 100);
    if both.is_some_and(|(used, available)| used.saturating_add(available) > most) {
        return Err("used and available bytes that are together more than the capacity".to_owned());
    }
    let less = |bytes: Option<u64>| bytes.map(|bytes| capacity - bytes);
    Ok(Space {
        used_bytes: space.used_bytes.or(less(space.available_bytes)),
        available_bytes: space.available_bytes.or(less(space.used_bytes)),
        ..space
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_or_json_and_nothing_else() {
        let told = |space: Space| {
            (
                space.capacity_bytes,
                space.used_bytes,
                space.available_bytes,
            )
        };
        for (text, expected) in [
            ("1000\n", (1000, None, None)),
            ("{\"capacity_bytes\": 1000}", (1000, None, None)),
            (
                "{\"capacity_bytes\": 1000, \"used_bytes\": 300}",
                (1000, Some(300), Some(700)),
            ),
            (
                "{\"capacity_bytes\": 1000, \"available_bytes\": 100, \"used_bytes\": 300, \"x\": 1}",
                (1000, Some(300), Some(100)),
            ),
        ] {
            assert_eq!(read(text.as_bytes()).map(told), Ok(expected), "{text}");
        }
        for text in [
            "",
            "-1",
            "0",
            "1.5",
            "1e9",
            "100 GB",
            "NaN",
            "null",
            "[1]",
            "{}",
            "{\"capacity_bytes\": -1}",
            "{\"capacity_bytes\": 10, \"used_bytes\": 11}",
            "{\"capacity_bytes\": 1000, \"used_bytes\": 600, \"available_bytes\": 600}",
            "{\"capacity_bytes\": \"10\"}",
            "\u{feff}",
        ] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(read(&[0xff]).is_err());
    }
}
