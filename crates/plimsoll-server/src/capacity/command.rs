//! A command that says what a volume has: without a shell, bounded in time and in what it may print.

use std::fmt;
use std::process::Stdio;
use std::time::Duration;

use plimsoll_core::disk::pulse::Space;
use serde::Deserialize;
use tokio::io::AsyncReadExt as _;

use super::number;

/// More than this is not read.
const MOST_BYTES: u64 = 64 << 10;

/// A program with its arguments, which may hold secrets: only the program's name is shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    /// The program.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command")
            .field("program", &self.program)
            .field("arguments", &self.arguments.len())
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// What it may print, if it is more than a number.
#[derive(Deserialize)]
struct Printed {
    capacity_bytes: u64,
    used_bytes: Option<u64>,
    available_bytes: Option<u64>,
    inodes_total: Option<u64>,
    inodes_available: Option<u64>,
}

impl Command {
    /// Runs it. What it prints to its standard error is not told: it may hold a secret.
    pub(super) async fn ask(&self) -> Result<Space, String> {
        let program = &self.program;
        let mut child = tokio::process::Command::new(program)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // What it starts ends with it.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{program} does not start: {error}"))?;
        let group = child.id().and_then(|id| i32::try_from(id).ok());
        let run = async {
            let mut text = Vec::new();
            if let Some(output) = child.stdout.take() {
                let mut output = output.take(MOST_BYTES + 1);
                output
                    .read_to_end(&mut text)
                    .await
                    .map_err(|error| format!("{program}: {error}"))?;
            }
            if text.len() as u64 > MOST_BYTES {
                return Err(format!("{program} prints more than {MOST_BYTES} bytes"));
            }
            let status = child
                .wait()
                .await
                .map_err(|error| format!("{program}: {error}"))?;
            if !status.success() {
                return Err(format!("{program} failed ({status})"));
            }
            Ok(text)
        };
        let text = tokio::time::timeout(self.timeout, run).await;
        // Also what it left behind.
        if let Some(group) = group.and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let text = text.map_err(|_| {
            format!(
                "{program} did not end within {} ms",
                self.timeout.as_millis()
            )
        })??;
        read(&text).map_err(|reason| format!("{program} prints {reason}"))
    }
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
            "{\"capacity_bytes\": \"10\"}",
            "\u{feff}",
        ] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(read(&[0xff]).is_err());
    }
}
