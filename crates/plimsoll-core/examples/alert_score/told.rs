//! What rules told over time: each rule with where it stands, and the episodes that it opened.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::alert::evaluate::{Facts, Standing, evaluate};
use plimsoll_core::alert::life::{Change, Patience, State};
use plimsoll_core::alert::settings::Rule;
use plimsoll_core::alert::{AlertType, Reading, Severity, Unit, Verdict};

/// An alert that opened, and when it ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Episode {
    pub(crate) opened: Timestamp,
    pub(crate) ended: Option<Timestamp>,
}

/// What each rule told, by its name.
pub(crate) type Told = BTreeMap<&'static str, Vec<Episode>>;

/// The rules, each as it stands with one subject.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    standings: BTreeMap<&'static str, Standing>,
    others: BTreeMap<&'static str, State>,
    told: Told,
}

impl Rules {
    /// A rule of Plimsoll's as nothing is set, on facts.
    pub(crate) fn judge(&mut self, alert_type: AlertType, facts: Facts<'_>, now: Timestamp) {
        let name = alert_type.as_str();
        let stood = self.standings.get(name).cloned().unwrap_or_default();
        let rule = Rule::default_of(alert_type);
        if let Some(evaluated) = evaluate(&rule, facts, stood, now) {
            self.standings.insert(name, evaluated.standing);
            self.note(name, evaluated.change, now);
        }
    }

    /// When a rule was judged last.
    pub(crate) fn judged_at(&self, alert_type: AlertType) -> Option<Timestamp> {
        let standing = self.standings.get(alert_type.as_str())?;
        standing.state.evaluated_at
    }

    /// A rule of others', which opens when it held for some time and ends when it does not.
    pub(crate) fn judge_other(
        &mut self,
        name: &'static str,
        holds: bool,
        hold: SignedDuration,
        now: Timestamp,
    ) {
        let verdict = if holds {
            Verdict::Holds(Severity::Warning)
        } else {
            Verdict::Clear
        };
        let reading = Reading::new(verdict, 0.0, 0.0, Unit::Bytes);
        let patience = Patience {
            hold,
            ..Patience::default()
        };
        let state = self.others.remove(name).unwrap_or_default();
        // Nobody else keeps open what opens again and again.
        let (mut state, change) = state.after(&reading, patience, now);
        if change == Some(Change::Resolved) {
            state = State::default();
        }
        self.others.insert(name, state);
        self.note(name, change, now);
    }

    fn note(&mut self, name: &'static str, change: Option<Change>, now: Timestamp) {
        let episodes = self.told.entry(name).or_default();
        match change {
            Some(Change::Opened(_)) => episodes.push(Episode {
                opened: now,
                ended: None,
            }),
            Some(Change::Resolved) => {
                if let Some(last) = episodes.last_mut() {
                    last.ended = Some(now);
                }
            }
            Some(Change::Raised(_)) | None => {}
        }
    }

    pub(crate) fn told(self) -> Told {
        self.told
    }
}
