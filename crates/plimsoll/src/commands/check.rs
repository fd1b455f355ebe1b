//! `plimsoll check`: one line as Nagios plugins print it, and their exit codes. Reads the store, visits nobody.
//!
//! <https://nagios-plugins.org/doc/guidelines.html>: text, a bar, and `label=value[unit];warning;critical;least;most`.

use std::fmt;

use anyhow::bail;
use jiff::{SignedDuration, Timestamp};
use plimsoll_core::alert::{AlertType, Severity};
use plimsoll_core::name::visible;
use plimsoll_server::answer::alerts::{self, AlertAnswer, AlertsQuery};
use plimsoll_server::clock::{Clock as _, SystemClock};
use plimsoll_server::jobs::sampled_every;
use plimsoll_store::{AlertQuery, DatabaseKey, Store};

use crate::context::Context;

/// A plugin prints one line, and that one is read by people: so many alerts are told in words.
const TOLD: usize = 3;
/// Older than so many intervals between samples, or than this, is too old to tell anything.
const INTERVALS: i32 = 3;
const TOO_OLD: SignedDuration = SignedDuration::from_hours(26);

/// How a check ended, by its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Ok = 0,
    Warning = 1,
    Critical = 2,
    Unknown = 3,
}

impl State {
    /// The exit code.
    pub(crate) const fn code(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        })
    }
}

/// What the line and the exit code are made from.
#[derive(Debug, Default)]
struct Report {
    /// Alerts that fire, the most serious first, and are not silenced.
    firing: Vec<(Severity, String)>,
    silenced: usize,
    /// How old the newest good sample is; none where there is none.
    age: Option<SignedDuration>,
    too_old: SignedDuration,
    /// Databases with their bytes.
    databases: Vec<(String, u64)>,
    /// Volumes with how full they are, in per cent, and the border of a warning.
    volumes: Vec<(String, f64, f64)>,
}

/// The line and the state.
pub(crate) async fn run(context: &Context) -> anyhow::Result<(State, String)> {
    let store = context.readable_store().await?;
    let now = SystemClock.now();
    let seen = look(context, &*store, now).await?;
    Ok(seen.told())
}

async fn look(context: &Context, store: &dyn Store, now: Timestamp) -> anyhow::Result<Report> {
    let settings = &context.config.settings;
    let mut databases = context.kept(store).await?;
    if !settings.instances.is_empty() {
        let is_watched = |of: &DatabaseKey| {
            settings
                .instances
                .iter()
                .any(|it| *it.instance == *of.instance)
        };
        databases.retain(is_watched);
    }
    let every = sampled_every(&settings.schedule, now);
    let mut seen = Report {
        too_old: every.map_or(TOO_OLD, |every| (every * INTERVALS).min(TOO_OLD)),
        ..Report::default()
    };
    seen.age = oldest_news(store, &databases, now).await?;
    for of in &databases {
        let since = now.saturating_sub(TOO_OLD).unwrap_or(Timestamp::MIN);
        if let Some(last) = store.sample_parts(of, since).await?.last() {
            let name = format!("{}/{}", of.instance, of.database);
            seen.databases.push((name, last.total_bytes));
        }
    }
    let query = AlertsQuery(AlertQuery::firing());
    let answer = alerts::alerts(store, &context.named(store).await?, query, now).await?;
    seen.silenced = answer
        .alerts
        .iter()
        .filter(|alert| alert.silenced_until.is_some())
        .count();
    let told = |alert: &AlertAnswer| {
        let headline = alert.message.lines().next().unwrap_or_default();
        (alert.severity, headline.to_owned())
    };
    seen.firing = answer
        .alerts
        .iter()
        .filter(|alert| alert.silenced_until.is_none())
        .map(told)
        .collect();
    seen.firing
        .sort_by_key(|(severity, _)| std::cmp::Reverse(*severity));
    for state in store.alert_states("").await? {
        let reading = state.standing.reading;
        if let (AlertType::VolumeFull, Some(volume), Some(reading)) =
            (state.alert_type, state.subject.volume, reading)
            && let (Some(value), Some(threshold)) = (reading.value, reading.threshold)
        {
            seen.volumes.push((volume, value, threshold));
        }
    }
    Ok(seen)
}

/// The age of the newest good sample of each instance: of the one that is worst off. None where one has none.
async fn oldest_news(
    store: &dyn Store,
    databases: &[DatabaseKey],
    now: Timestamp,
) -> anyhow::Result<Option<SignedDuration>> {
    let mut instances: Vec<&str> = databases.iter().map(|of| &*of.instance).collect();
    instances.dedup();
    if instances.is_empty() {
        bail!("the history has no sample of it");
    }
    let mut oldest = SignedDuration::ZERO;
    for instance in instances {
        let mut newest = None;
        for of in databases.iter().filter(|of| of.instance == instance) {
            newest = newest.max(store.last_good_sample(of, now).await?);
        }
        match newest {
            Some(at) => oldest = oldest.max(now.duration_since(at)),
            None => return Ok(None),
        }
    }
    Ok(Some(oldest))
}

impl Report {
    fn told(&self) -> (State, String) {
        let is_fresh = self.age.is_some_and(|age| age <= self.too_old);
        let worst = self.firing.iter().map(|(severity, _)| *severity).max();
        let state = match worst {
            Some(Severity::Critical) => State::Critical,
            _ if !is_fresh => State::Unknown,
            Some(Severity::Warning) => State::Warning,
            None => State::Ok,
        };
        let mut words = Vec::new();
        if !is_fresh {
            words.push(match self.age {
                Some(age) => format!(
                    "the last good sample is {} minutes old: does `plimsoll serve` run?",
                    age.as_mins()
                ),
                None => "there is no good sample".to_owned(),
            });
        }
        words.extend(self.firing.iter().take(TOLD).map(|(_, text)| text.clone()));
        match self.firing.len().saturating_sub(TOLD) {
            0 => {}
            more => words.push(format!("and {more} more")),
        }
        if words.is_empty() {
            words.push(match self.silenced {
                0 => "nothing fires".to_owned(),
                _ => "nothing fires that is not silenced".to_owned(),
            });
        }
        let text = plain(&words.join("; "));
        (
            state,
            format!("PLIMSOLL {state} - {text} | {}", self.data()),
        )
    }

    /// Performance data.
    fn data(&self) -> String {
        let critical = self
            .firing
            .iter()
            .filter(|(severity, _)| *severity == Severity::Critical)
            .count();
        let mut data = vec![
            format!("firing={};;;0", self.firing.len()),
            format!("critical={critical};;;0"),
            format!("silenced={};;;0", self.silenced),
        ];
        data.extend(
            self.age
                .map(|age| format!("sample_age={}s;;;0", age.as_secs())),
        );
        let sizes = self.databases.iter();
        data.extend(sizes.map(|(name, bytes)| format!("{}={bytes}B;;;0", label(name))));
        let volumes = self.volumes.iter();
        data.extend(volumes.map(|(name, percent, warning)| {
            format!("{}={percent:.1}%;{warning:.1};;0;100", label(name))
        }));
        data.join(" ")
    }
}

/// A failure to look is as unknown as stale data are.
pub(crate) fn failed(reason: &str) -> (State, String) {
    let text = plain(reason);
    (State::Unknown, format!("PLIMSOLL UNKNOWN - {text}"))
}

/// On one line, without the bar that ends the text.
fn plain(text: &str) -> String {
    visible(text).replace('|', "/")
}

/// A label in quotes, without what ends it.
fn label(name: &str) -> String {
    let name: String = plain(name)
        .chars()
        .map(|c| {
            if matches!(c, '\'' | '"' | '=') {
                '_'
            } else {
                c
            }
        })
        .collect();
    format!("'{name}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(age_minutes: Option<i64>, firing: &[Severity]) -> Report {
        Report {
            firing: firing
                .iter()
                .map(|severity| (*severity, format!("a {severity}")))
                .collect(),
            age: age_minutes.map(SignedDuration::from_mins),
            too_old: SignedDuration::from_mins(45),
            ..Report::default()
        }
    }

    #[test]
    fn critical_goes_before_stale_and_stale_before_a_warning() {
        use Severity::{Critical, Warning};
        for (age, firing, state) in [
            (Some(45), &[][..], State::Ok),
            (Some(46), &[], State::Unknown),
            (None, &[], State::Unknown),
            (Some(1), &[Warning], State::Warning),
            (Some(46), &[Warning], State::Unknown),
            (Some(1), &[Critical, Warning], State::Critical),
            (Some(46), &[Critical], State::Critical),
        ] {
            let (found, line) = seen(age, firing).told();
            assert_eq!(found, state, "{line}");
            assert!(line.starts_with(&format!("PLIMSOLL {state} - ")), "{line}");
        }
        assert_eq!(
            [State::Ok, State::Warning, State::Critical, State::Unknown].map(State::code),
            [0, 1, 2, 3]
        );
    }

    #[test]
    fn it_is_one_line_with_labels_that_hold_whatever_a_name_has() {
        let mut seen = seen(Some(2), &[Severity::Warning; 5]);
        seen.firing[0].1 = "a|b\nc grew".to_owned();
        seen.databases
            .push(("prod/it's a=\"|\n".to_owned(), 1 << 40));
        seen.volumes.push(("/dev/vda1".to_owned(), 85.04, 85.0));
        let (_, line) = seen.told();
        assert_eq!(
            line,
            "PLIMSOLL WARNING - a/b\\nc grew; a warning; a warning; and 2 more | firing=5;;;0 critical=0;;;0 \
             silenced=0;;;0 sample_age=120s;;;0 'prod/it_s a__/\\n'=1099511627776B;;;0 '/dev/vda1'=85.0%;85.0;;0;100"
        );
        assert_eq!(failed("no\nstore").1, "PLIMSOLL UNKNOWN - no\\nstore");
    }
}
