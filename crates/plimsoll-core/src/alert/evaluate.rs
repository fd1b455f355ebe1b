//! Evaluates a rule: facts and where it stood go in, where it stands and what is to be told come out.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::life::{Change, State};
use super::reading::{Reading, Verdict};
use super::rules::stray::Files;
use super::rules::{abnormal, growth, size, stray, time, upkeep, volume, wal};
use super::settings::{Borders, Rule};
use crate::disk::wal::Holder;

/// Where a rule stands with a subject: what is to be kept from one evaluation to the next.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Standing {
    /// Its episode.
    pub state: State,
    /// What the rule itself remembers.
    pub memory: Memory,
    /// What it said last.
    pub reading: Option<Reading>,
}

/// What a rule remembers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Memory {
    /// Nothing.
    #[default]
    None,
    /// `growth_warning`: the sample before waited for bytes of no relation to turn out to be a rewrite's.
    Waited,
    /// `abnormal_growth`.
    Abnormal(abnormal::Memory),
    /// `orphaned_files`.
    Orphaned(stray::KnownFiles),
    /// `unattributed_growth`.
    Unattributed(stray::Memory),
}

/// What a rule is evaluated on.
#[derive(Debug, Clone, Copy)]
pub enum Facts<'a> {
    /// For `growth_warning`.
    Past(growth::Past<'a>),
    /// For `size_critical`.
    Size(size::SizeNow),
    /// For `volume_full`.
    Fullness(volume::Fullness),
    /// For `time_to_full`; the error is why there is no forecast.
    Reaches(Result<time::Reaches, &'a str>),
    /// For `filling_fast`; the error is why there is no pace.
    Pace(Result<time::PaceNow, &'a str>),
    /// For `abnormal_growth`.
    History(abnormal::History<'a>),
    /// For `wal_retention`.
    Holder(&'a Holder, wal::Around),
    /// For `wal_retention`: it is not there any more, and all holders were seen.
    HolderGone,
    /// For `orphaned_files`: a sample's files that no relation owns, where the method sees files; and whether the sample is a
    /// daily one.
    Files(Option<&'a Files>, bool),
    /// For `unattributed_growth`.
    Unattributed(Option<u64>),
    /// For `sampling_stale`.
    Freshness(upkeep::Freshness),
    /// For `cleanup_failed`.
    LastRun(upkeep::LastRun),
    /// For `history_at_risk`.
    Store(upkeep::StoreNow),
}

/// What became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluated {
    /// Where it stands now.
    pub standing: Standing,
    /// What the rule said.
    pub reading: Reading,
    /// What is to be told.
    pub change: Option<Change>,
}

/// Evaluates `rule` on `facts`. None where the rule does not judge them: a database without a limit, a holder that
/// nobody can mend, a rule that is not enabled.
pub fn evaluate(
    rule: &Rule,
    facts: Facts<'_>,
    stood: Standing,
    now: Timestamp,
) -> Option<Evaluated> {
    if !rule.enabled {
        return None;
    }
    let Standing { state, memory, .. } = stood;
    let (mut reading, memory) = read(&rule.borders, facts, memory, now)?;
    if let (Verdict::Holds(_), Some(severity)) = (&reading.verdict, rule.severity) {
        reading.verdict = Verdict::Holds(severity);
    }
    let (state, change) = state.after(&reading, rule.patience, now);
    Some(Evaluated {
        standing: Standing {
            state,
            memory,
            reading: Some(reading.clone()),
        },
        reading,
        change,
    })
}

fn read(
    borders: &Borders,
    facts: Facts<'_>,
    memory: Memory,
    now: Timestamp,
) -> Option<(Reading, Memory)> {
    let alone = |reading| Some((reading, Memory::None));
    match (borders, facts) {
        (Borders::GrowthWarning(rule), Facts::Past(past)) => {
            let (reading, waits) = rule.read(past, memory == Memory::Waited);
            Some((reading, if waits { Memory::Waited } else { Memory::None }))
        }
        (Borders::SizeCritical(rule), Facts::Size(size)) => alone(rule.read(size)?),
        (Borders::VolumeFull(rule), Facts::Fullness(fullness)) => alone(rule.read(fullness)),
        (Borders::TimeToFull(rule), Facts::Reaches(reaches)) => alone(rule.read(reaches)),
        (Borders::FillingFast(rule), Facts::Pace(pace)) => alone(rule.read(pace)),
        (Borders::AbnormalGrowth, Facts::History(history)) => {
            let own = match memory {
                Memory::Abnormal(own) => own,
                _ => abnormal::Memory::default(),
            };
            let (reading, own) = abnormal::read(history, own, now);
            Some((reading, Memory::Abnormal(own)))
        }
        (Borders::WalRetention(rule), Facts::Holder(holder, around)) => {
            alone(rule.read(holder, around)?)
        }
        (Borders::WalRetention(rule), Facts::HolderGone) => alone(rule.gone()),
        (Borders::OrphanedFiles(rule), Facts::Files(files, is_daily)) => {
            let own = match memory {
                Memory::Orphaned(own) => own,
                _ => stray::KnownFiles::default(),
            };
            let (reading, own) = rule.read(files, is_daily, own);
            Some((reading, Memory::Orphaned(own)))
        }
        (Borders::UnattributedGrowth(rule), Facts::Unattributed(bytes)) => {
            let own = match memory {
                Memory::Unattributed(own) => own,
                _ => stray::Memory::default(),
            };
            let (reading, own) = rule.read(bytes, own);
            Some((reading, Memory::Unattributed(own)))
        }
        (Borders::SamplingStale(rule), Facts::Freshness(fresh)) => alone(rule.read(fresh)),
        (Borders::CleanupFailed, Facts::LastRun(last)) => alone(upkeep::cleanup_failed(last)),
        (Borders::HistoryAtRisk(rule), Facts::Store(store)) => alone(rule.read(store)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::kind::{AlertType, Severity};

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn full(used: u64) -> Facts<'static> {
        Facts::Fullness(volume::Fullness {
            used_bytes: Some(used),
            available_bytes: Some(100 - used),
            ..volume::Fullness::default()
        })
    }

    #[test]
    fn a_rule_opens_and_closes_by_its_settings() {
        let mut rule = Rule::default_of(AlertType::VolumeFull);
        let opened = evaluate(&rule, full(86), Standing::default(), NOW).unwrap();
        assert_eq!(opened.change, Some(Change::Opened(Severity::Warning)));
        let closed = evaluate(&rule, full(50), opened.standing, NOW).unwrap();
        assert_eq!(closed.change, Some(Change::Resolved));
        rule.severity = Some(Severity::Critical);
        let opened = evaluate(&rule, full(86), Standing::default(), NOW).unwrap();
        assert_eq!(opened.change, Some(Change::Opened(Severity::Critical)));
        rule.enabled = false;
        assert_eq!(evaluate(&rule, full(99), Standing::default(), NOW), None);
    }

    #[test]
    fn every_rule_judges_its_own_facts_and_no_other() {
        let past = growth::Past {
            totals: &[],
            begins_at: None,
            given_back: &[],
            is_rewriting: false,
        };
        let history = abnormal::History {
            shapes: &[],
            recent_rate: None,
            past,
        };
        let limited = size::SizeNow {
            total_bytes: Some(5),
            uncertain_bytes: 0,
            limit_bytes: Some(9),
            has_capacity: false,
        };
        let fresh = upkeep::Freshness {
            age: None,
            watched_for: jiff::SignedDuration::ZERO,
            interval: jiff::SignedDuration::from_mins(15),
            has_visited: true,
        };
        let store = upkeep::StoreNow {
            is_refused: Some(false),
            volume: None,
        };
        let facts = [
            (AlertType::GrowthWarning, Facts::Past(past)),
            (AlertType::SizeCritical, Facts::Size(limited)),
            (AlertType::VolumeFull, full(1)),
            (AlertType::TimeToFull, Facts::Reaches(Err("young"))),
            (AlertType::FillingFast, Facts::Pace(Err("young"))),
            (AlertType::AbnormalGrowth, Facts::History(history)),
            (AlertType::WalRetention, Facts::HolderGone),
            (AlertType::OrphanedFiles, Facts::Files(None, true)),
            (AlertType::UnattributedGrowth, Facts::Unattributed(None)),
            (AlertType::SamplingStale, Facts::Freshness(fresh)),
            (
                AlertType::CleanupFailed,
                Facts::LastRun(upkeep::LastRun::Good),
            ),
            (AlertType::HistoryAtRisk, Facts::Store(store)),
        ];
        assert_eq!(facts.map(|(alert_type, _)| alert_type), AlertType::ALL);
        for (of, facts) in facts {
            for alert_type in AlertType::ALL {
                let rule = Rule::default_of(alert_type);
                let evaluated = evaluate(&rule, facts, Standing::default(), NOW);
                assert_eq!(
                    evaluated.is_some(),
                    alert_type == of,
                    "{of} by {alert_type}"
                );
            }
        }
    }

    #[test]
    fn where_a_rule_stands_survives_being_written_down() {
        let rule = Rule::default_of(AlertType::UnattributedGrowth);
        let mut standing = Standing::default();
        let mut told = Vec::new();
        for gigabytes in [2_u64, 3, 4, 5, 6, 7, 3] {
            let facts = Facts::Unattributed(Some(gigabytes << 30));
            let evaluated = evaluate(&rule, facts, standing, NOW).unwrap();
            let text = serde_json::to_string(&evaluated.standing).unwrap();
            standing = serde_json::from_str(&text).unwrap();
            assert_eq!(standing, evaluated.standing, "{text}");
            told.extend(evaluated.change);
        }
        assert_eq!(told, [Change::Opened(Severity::Warning), Change::Resolved]);
    }
}
