//! `plimsoll.toml` as it is written: every key, none of its meaning.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use plimsoll_server::jobs::ALL;
use plimsoll_server::settings::When;
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};

use super::alerts::Alerts;
use crate::bytes::Bytes;
use crate::duration::Length;

/// The whole file. `plimsoll.example.toml` explains each key.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct File {
    pub(crate) instance: Vec<Instance>,
    pub(crate) store: Store,
    pub(crate) history: History,
    pub(crate) schedule: Schedule,
    pub(crate) server: Server,
    pub(crate) visit: Visit,
    pub(crate) capacity: Vec<Capacity>,
    pub(crate) alerts: Alerts,
    pub(crate) channel: Vec<plimsoll_notify::Settings>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Instance {
    pub(crate) name: String,
    pub(crate) url: Option<SecretString>,
    pub(crate) url_file: Option<PathBuf>,
    #[serde(default)]
    pub(crate) databases: Vec<String>,
    #[serde(default)]
    pub(crate) exclude: Vec<String>,
    pub(crate) method: Option<Method>,
    pub(crate) parallel: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Method {
    Auto,
    Files,
    Functions,
    Changes,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Store {
    pub(crate) url: Option<SecretString>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct History {
    pub(crate) daily_samples: Option<usize>,
    pub(crate) all_for: Option<Length>,
    pub(crate) hourly_for: Option<Length>,
    pub(crate) max_bytes: Option<Bytes>,
}

/// When the jobs run: a key for each job that there is.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    pub(crate) crons: BTreeMap<&'static str, When>,
    pub(crate) jitter: Option<Length>,
}

impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ScheduleKeys)
    }
}

struct ScheduleKeys;

impl<'de> Visitor<'de> for ScheduleKeys {
    type Value = Schedule;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a table of cron expressions")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Schedule, A::Error> {
        static KNOWN: LazyLock<Vec<&'static str>> =
            LazyLock::new(|| ALL.iter().map(|job| job.key).chain(["jitter"]).collect());
        let mut schedule = Schedule::default();
        while let Some(key) = map.next_key::<String>()? {
            if key == "jitter" {
                schedule.jitter = Some(map.next_value()?);
            } else if let Some(job) = ALL.iter().find(|job| job.key == key) {
                schedule
                    .crons
                    .insert(job.key, map.next_value::<WhenText>()?.0);
            } else {
                return Err(serde::de::Error::unknown_field(&key, &KNOWN));
            }
        }
        Ok(schedule)
    }
}

/// A cron expression or "off", parsed where it stands so that a mistake is shown with its line.
#[derive(Debug, Clone)]
pub(crate) struct WhenText(pub(crate) When);

impl<'de> Deserialize<'de> for WhenText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Server {
    pub(crate) listen: Option<SocketAddr>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Visit {
    pub(crate) lock_timeout: Option<Length>,
    pub(crate) statement_timeout: Option<Length>,
    pub(crate) connect_timeout: Option<Length>,
    pub(crate) deadline: Option<Length>,
    pub(crate) full_sweep_every: Option<Length>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Capacity {
    pub(crate) instance: Option<String>,
    pub(crate) volume: Option<String>,
    /// Of this database, whatever it lies on: a limit for alerts.
    pub(crate) database: Option<String>,
    /// The same as `volume = "tablespace:NAME"`.
    pub(crate) tablespace: Option<String>,
    pub(crate) on: Option<String>,
    pub(crate) bytes: Option<Bytes>,
    pub(crate) command: Option<Vec<SecretString>>,
    /// Of the command.
    pub(crate) timeout: Option<Length>,
    pub(crate) prometheus: Option<Prometheus>,
    pub(crate) path: Option<PathBuf>,
    /// Of the volume, where no source tells it.
    pub(crate) file_system: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Prometheus {
    /// May hold what it should not.
    pub(crate) url: SecretString,
    pub(crate) capacity: String,
    pub(crate) available: Option<String>,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) username: Option<String>,
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) timeout: Option<Length>,
}

/// Reads the file's text. An error names the line, and the nearest known key for an unknown one; it repeats no
/// value, since any line may hold a password.
pub(crate) fn parse(text: &str, path: &Path) -> Result<File, String> {
    toml::from_str(text).map_err(|error| {
        let message = error.message();
        let hint = nearest_key(message).map_or_else(String::new, |key| {
            format!("\nDid you mean `{key}`? plimsoll.example.toml explains every key.")
        });
        let place = error
            .span()
            .and_then(|span| text.get(..span.start))
            .map_or_else(String::new, |before| {
                let line = before.matches('\n').count() + 1;
                let column = before
                    .rsplit('\n')
                    .next()
                    .unwrap_or_default()
                    .chars()
                    .count()
                    + 1;
                format!(", line {line}, column {column}")
            });
        format!(
            "{}{place}: {}{hint}",
            path.display(),
            without_value(message)
        )
    })
}

/// serde's "invalid type: string "...", expected ..." without the value.
fn without_value(message: &str) -> String {
    let Some((kind, rest)) = message
        .split_once(": ")
        .filter(|(kind, _)| kind.starts_with("invalid "))
    else {
        return message.to_owned();
    };
    let Some((found, expected)) = rest.rsplit_once(", expected ") else {
        return message.to_owned();
    };
    let found = found
        .split(['`', '"'])
        .next()
        .unwrap_or_default()
        .trim_end();
    format!("{kind}: {found}, expected {expected}")
}

/// From serde's "unknown field `a`, expected one of `b`, `c`": the known key nearest to the unknown.
fn nearest_key(message: &str) -> Option<&str> {
    let mut quoted = message
        .strip_prefix("unknown field ")?
        .split('`')
        .skip(1)
        .step_by(2);
    let unknown = quoted.next()?;
    quoted
        .map(|known| (strsim::damerau_levenshtein(unknown, known), known))
        .filter(|&(distance, known)| distance <= known.len().max(3) / 2)
        .min()
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        parse(text, Path::new("plimsoll.toml")).unwrap_err()
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_the_nearest_known_one() {
        let text = error("[[instance]]\nname = \"a\"\ndatabase = [\"x\"]\n");
        assert!(text.contains("line 3"), "{text}");
        assert!(text.contains("Did you mean `databases`?"), "{text}");
        assert!(error("[histroy]\n").contains("Did you mean `history`?"));
        assert!(!error("[zzzzzzzzzzzz]\n").contains("Did you mean"));
        assert!(error("[schedule]\nsampel = \"@daily\"\n").contains("Did you mean `sample`?"));
    }

    #[test]
    fn values_are_checked_where_they_stand() {
        assert!(error("[history]\nall_for = \"soon\"\n").contains("line 2"));
        assert!(error("[[capacity]]\nbytes = \"5 parsecs\"\n").contains("is not a size"));
        assert!(error("[schedule]\nsample = \"at night\"\n").contains("line 2"));
    }

    #[test]
    fn no_mistake_repeats_a_value() {
        for text in [
            "[[instance]]\nname = \"a\"\nurl = [\"postgres://u:hush@h/d\"]\n",
            "[[instance]]\nname = \"a\"\nurl = { password = \"hush\" }\n",
            "[[instance]]\nname = \"a\"\nurll = \"postgres://u:hush@h/d\"\n",
            "[[instance]]\nname = \"a\"\npassword = \"hush\"\n",
            "[[instance]]\nname = \"a\"\nurl = postgres://u:hush@h/d\n",
            "[[instance]]\nname = \"a\"\nurl = \"postgres://u:hush@h/d\n",
            "[[instance]]\nname = \"a\"\nurl = \"postgres://u:\\hush@h/d\"\n",
            "[[instance]]\nname = \"a\"\nurl = \"postgres://u:hush@h/d\"\nurl = \"b\"\n",
            "instance = \"hush\"\n",
            "store = \"hush\"\n",
            "[[instance]]\nname = \"a\" url = \"hush\"\n",
            "[[instance]]\nparallel = \"hush\"\n",
            "[[instance]]\nurl = \"hush\"\n",
        ] {
            let error = error(text);
            assert!(!error.contains("hush"), "{text}: {error}");
            assert!(error.contains("line "), "{text}: {error}");
        }
        // A number may be a password too.
        let error = error("[[instance]]\nname = \"a\"\nurl = 4711\n");
        assert!(!error.contains("4711"), "{error}");
    }

    #[test]
    fn a_secret_is_not_in_the_debug_text() {
        let file = parse(
            "[[instance]]\nname=\"a\"\nurl=\"postgres://u:hush@h/d\"\n",
            Path::new("x"),
        )
        .unwrap();
        assert!(!format!("{file:?}").contains("hush"));
    }
}
