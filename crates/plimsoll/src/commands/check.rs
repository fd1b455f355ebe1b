//! `plimsoll check`: one line as Nagios plugins print it, and their exit codes. Reads the store, visits nobody.
//!
//! <https://nagios-plugins.org/doc/guidelines.html>: text, a bar, and `label=value[unit];warning;critical;least;most`.

use std::fmt;

use anyhow::bail;
use jiff::{SignedDuration, Timestamp};
use plimsoll_core::alert::rules::volume::VolumeFull;
use plimsoll_core::alert::settings::{Borders, Settings as Rules};
use plimsoll_core::alert::{AlertType, Severity, Subject};
use plimsoll_core::counted::counted;
use plimsoll_core::disk::memory::{Kept, Memory};
use plimsoll_core::name::visible;
use plimsoll_server::answer::alerts::{self, AlertAnswer, AlertsQuery};
use plimsoll_server::clock::{Clock as _, SystemClock};
use plimsoll_server::disk::last_look;
use plimsoll_server::jobs::sampled_every;
use plimsoll_store::{AlertQuery, DatabaseKey, Store};

use crate::context::Context;

/// A plugin prints one line, and that one is read by people: so many alerts are told in words.
const TOLD: usize = 3;
/// Older than so many intervals between samples, or than this, is too old to tell anything.
const INTERVALS: i32 = 3;
const TOO_OLD: SignedDuration = SignedDuration::from_hours(26);
/// So old a look at volumes tells nothing of how full they are.
const LOOK_TOO_OLD: SignedDuration = SignedDuration::from_mins(15);

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
    /// Databases with their bytes, and their limits.
    databases: Vec<(String, u64, Option<u64>)>,
    /// Volumes with how full they are: of bytes, and of inodes, each a metric.
    volumes: Vec<Share>,
}

/// How full something is.
#[derive(Debug, Clone, PartialEq)]
struct Share {
    label: String,
    percent: f64,
    /// From where on that is a warning, and critical; none where nobody asked to be told.
    borders: Option<VolumeFull>,
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
            let limit = settings.database_limits().get(of).copied();
            seen.databases.push((name, last.total_bytes, limit));
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
    let mut instances: Vec<String> = databases.iter().map(|of| of.instance.clone()).collect();
    instances.extend(context.instance_names().unwrap_or_default());
    instances.sort();
    instances.dedup();
    seen.volumes = volumes(store, &instances, &settings.alerts, now).await?;
    Ok(seen)
}

/// How full the volumes are that these instances lie on, by the last look at each; each volume once.
async fn volumes(
    store: &dyn Store,
    instances: &[String],
    rules: &Rules,
    now: Timestamp,
) -> anyhow::Result<Vec<Share>> {
    let mut seen = Vec::new();
    for instance in instances {
        let last = last_look(store, instance).await?;
        let is_recent = |at: Timestamp| now.duration_since(at) <= LOOK_TOO_OLD;
        let Some(last) = last.filter(|last| is_recent(last.at)) else {
            continue;
        };
        let mut memory = Memory::default();
        memory.recall(Kept {
            last: Some(last),
            ..Kept::default()
        });
        for volume in memory.disk(None, now).volumes {
            let subject = Subject::volume_of(instance, &volume);
            if !seen.iter().any(|(known, _)| *known == subject) {
                seen.push((subject, volume));
            }
        }
    }
    let mut hosts: Vec<_> = seen.iter().filter_map(|(_, it)| it.host.as_ref()).collect();
    hosts.sort();
    hosts.dedup();
    let has_several_hosts = hosts.len() > 1;
    let mut shares = Vec::new();
    for (subject, volume) in &seen {
        let name = match (&volume.host, &*subject.instance) {
            (Some(host), _) if has_several_hosts => format!("{host} {}", volume.pool),
            (_, "") => volume.pool.clone(),
            (_, instance) => format!("{instance} {}", volume.pool),
        };
        let rule = rules.of(AlertType::VolumeFull, subject);
        let borders = rule
            .filter(|rule| rule.enabled)
            .and_then(|rule| match rule.borders {
                Borders::VolumeFull(borders) => Some(borders),
                _ => None,
            });
        let bytes = volume.used_bytes.zip(volume.available_bytes);
        let inodes = volume
            .inodes_total
            .zip(volume.inodes_available)
            .map(|(total, left)| (total.saturating_sub(left), left));
        let inodes_of = format!("{name} inodes");
        for (label, share) in [(name, bytes), (inodes_of, inodes)] {
            let Some((used, left)) = share.filter(|(used, left)| used + left > 0) else {
                continue;
            };
            let percent = used as f64 / (used as f64 + left as f64) * 100.0;
            shares.push(Share {
                label,
                percent,
                borders,
            });
        }
    }
    Ok(shares)
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
                    "the last good sample is {} old: does `plimsoll serve` run?",
                    counted(age.as_mins().unsigned_abs(), "minute")
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
        data.extend(self.databases.iter().map(|(name, bytes, limit)| {
            let limit = limit.map_or_else(String::new, |limit| limit.to_string());
            format!("{}={bytes}B;;{limit};0", label(name))
        }));
        data.extend(self.volumes.iter().map(|share| {
            let of = |per_mille: u32| format!("{:.1}", f64::from(per_mille) / 10.0);
            let borders = share.borders.map_or_else(
                || ";".to_owned(),
                |it| format!("{};{}", of(it.warning_per_mille), of(it.critical_per_mille)),
            );
            format!(
                "{}={:.1}%;{borders};0;100",
                label(&share.label),
                share.percent
            )
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
            .push(("prod/it's a=\"|\n".to_owned(), 1 << 40, Some(1 << 41)));
        for (name, borders) in [("/dev/vda1", Some(VolumeFull::default())), ("it's", None)] {
            seen.volumes.push(Share {
                label: name.to_owned(),
                percent: 85.04,
                borders,
            });
        }
        let (_, line) = seen.told();
        assert_eq!(
            line,
            "PLIMSOLL WARNING - a/b\\nc grew; a warning; a warning; and 2 more | firing=5;;;0 critical=0;;;0 \
             silenced=0;;;0 sample_age=120s;;;0 'prod/it_s a__/\\n'=1099511627776B;;2199023255552;0 \
             '/dev/vda1'=85.0%;85.0;95.0;0;100 'it_s'=85.0%;;;0;100"
        );
        assert_eq!(failed("no\nstore").1, "PLIMSOLL UNKNOWN - no\\nstore");
    }
}
