//! The life of an alert: pending, firing, resolved. One episode a type and subject lasts from opening to resolution.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::kind::Severity;
use super::reading::{Reading, Verdict};

/// How soon a rule opens and closes its alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patience {
    /// How long the condition must hold before the alert opens.
    pub hold: SignedDuration,
    /// On how many readings in a row it must hold.
    pub opens_after: u32,
    /// On how many readings in a row it must be clear before the alert closes.
    pub closes_after: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            hold: SignedDuration::ZERO,
            opens_after: 1,
            closes_after: 1,
        }
    }
}

/// What opens so often in [`RESTLESS_WITHIN`] stays open until it was quiet for [`QUIET`].
const RESTLESS: usize = 3;
const RESTLESS_WITHIN: SignedDuration = SignedDuration::from_hours(24);
const QUIET: SignedDuration = SignedDuration::from_hours(6);

/// Where a type and subject stand.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct State {
    /// The open episode.
    pub firing: Option<Episode>,
    /// The severity at which somebody closed it by hand: silent until the condition is clear, or worse.
    pub dismissed: Option<Severity>,
    /// When it was judged last. Readings that knew nothing do not move it.
    pub evaluated_at: Option<Timestamp>,
    /// Since when the condition holds at least as a warning, and as critical.
    warning: Option<Run>,
    critical: Option<Run>,
    /// Since when it is clear.
    clear: Option<Run>,
    /// When episodes opened in the last day.
    openings: Vec<Timestamp>,
}

/// An open episode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Episode {
    /// Since when the condition holds.
    pub since: Timestamp,
    /// The highest severity that it had.
    pub severity: Severity,
}

/// Readings in a row that say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    since: Timestamp,
    readings: u32,
}

/// What is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It opened.
    Opened(Severity),
    /// It became worse. That it became less bad is not told.
    Raised(Severity),
    /// It closed: the condition is clear.
    Resolved,
}

impl State {
    /// Whether the condition holds, though not yet long enough.
    pub const fn is_pending(&self) -> bool {
        self.firing.is_none() && self.dismissed.is_none() && self.warning.is_some()
    }

    /// The state after a reading, and what is to be told of it.
    #[must_use]
    pub fn after(
        mut self,
        reading: &Reading,
        patience: Patience,
        now: Timestamp,
    ) -> (Self, Option<Change>) {
        let holds = match &reading.verdict {
            Verdict::Unknown(_) => return (self, None),
            Verdict::Holds(severity) => Some(*severity),
            Verdict::Clear | Verdict::Between => None,
        };
        self.evaluated_at = Some(now);
        self.openings
            .retain(|&opened| now.duration_since(opened) < RESTLESS_WITHIN);
        self.warning = Run::go_on(self.warning, holds.is_some(), now);
        self.critical = Run::go_on(self.critical, holds == Some(Severity::Critical), now);
        self.clear = Run::go_on(self.clear, reading.verdict == Verdict::Clear, now);
        let is_clear = self
            .clear
            .is_some_and(|run| run.readings >= patience.closes_after);
        if is_clear {
            self.dismissed = None;
        }
        let change = if let Some(episode) = &self.firing {
            let worse = self.critical.filter(|run| run.is_enough(patience, now));
            if worse.is_some() && episode.severity < Severity::Critical {
                self.raise()
            } else if is_clear && self.is_quiet(now) {
                self.firing = None;
                Some(Change::Resolved)
            } else {
                None
            }
        } else {
            self.open(patience, now)
        };
        (self, change)
    }

    /// The state after somebody closed the episode by hand; the same state where none is open.
    #[must_use]
    pub fn dismissed_by_hand(mut self) -> Self {
        if let Some(episode) = self.firing.take() {
            self.dismissed = Some(episode.severity);
        }
        self
    }

    fn open(&mut self, patience: Patience, now: Timestamp) -> Option<Change> {
        let runs = [
            (Severity::Critical, self.critical),
            (Severity::Warning, self.warning),
        ];
        let (severity, run) = runs
            .into_iter()
            .filter_map(|(severity, run)| Some((severity, run?)))
            .find(|(_, run)| run.is_enough(patience, now))?;
        if self
            .dismissed
            .is_some_and(|dismissed| severity <= dismissed)
        {
            return None;
        }
        self.dismissed = None;
        self.openings.push(now);
        self.firing = Some(Episode {
            since: run.since,
            severity,
        });
        Some(Change::Opened(severity))
    }

    fn raise(&mut self) -> Option<Change> {
        let episode = self.firing.as_mut()?;
        episode.severity = Severity::Critical;
        Some(Change::Raised(Severity::Critical))
    }

    /// Whether it may close: what opened again and again must be quiet for some hours first.
    fn is_quiet(&self, now: Timestamp) -> bool {
        let quiet = self
            .clear
            .map_or(SignedDuration::ZERO, |run| now.duration_since(run.since));
        self.openings.len() < RESTLESS || quiet >= QUIET
    }
}

impl Run {
    fn go_on(run: Option<Self>, goes_on: bool, now: Timestamp) -> Option<Self> {
        goes_on.then(|| match run {
            // A clock that was set back would make it last for ever, or for no time at all.
            Some(run) if run.since <= now => Self {
                readings: run.readings.saturating_add(1),
                ..run
            },
            Some(run) => Self {
                since: now,
                readings: run.readings.saturating_add(1),
            },
            None => Self {
                since: now,
                readings: 1,
            },
        })
    }

    fn is_enough(self, patience: Patience, now: Timestamp) -> bool {
        self.readings >= patience.opens_after && now.duration_since(self.since) >= patience.hold
    }
}

/// Whether it is time to tell of an open alert again: each 4 hours what is critical, each 24 what is a warning.
pub fn is_reminder_due(severity: Severity, told_at: Timestamp, now: Timestamp) -> bool {
    let pause = match severity {
        Severity::Critical => SignedDuration::from_hours(4),
        Severity::Warning => SignedDuration::from_hours(24),
    };
    now.duration_since(told_at) >= pause
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::reading::Unit;

    /// What happens at each minute (or `step`) of a script: `.` clear, `-` between, `w` and `c` hold, `?` unknown, `x` is closed
    /// by hand. Told: `o` and `O` open as warning and critical, `R` rises, `r` resolves.
    fn play(patience: Patience, step: SignedDuration, script: &str) -> String {
        let mut state = State::default();
        let mut now = Timestamp::UNIX_EPOCH;
        let mut told = String::new();
        for c in script.chars() {
            now += step;
            let verdict = match c {
                '.' => Verdict::Clear,
                '-' => Verdict::Between,
                'w' => Verdict::Holds(Severity::Warning),
                'c' => Verdict::Holds(Severity::Critical),
                '?' => Verdict::Unknown("locked".into()),
                _ => {
                    state = state.dismissed_by_hand();
                    told.push('x');
                    continue;
                }
            };
            let is_unknown = matches!(verdict, Verdict::Unknown(_));
            let before = state.clone();
            let change;
            (state, change) =
                state.after(&Reading::new(verdict, 1.0, 1.0, Unit::Bytes), patience, now);
            if is_unknown {
                assert_eq!(
                    (&state.firing, state.evaluated_at),
                    (&before.firing, before.evaluated_at)
                );
            }
            told.push(match change {
                None => ' ',
                Some(Change::Opened(Severity::Warning)) => 'o',
                Some(Change::Opened(Severity::Critical)) => 'O',
                Some(Change::Raised(_)) => 'R',
                Some(Change::Resolved) => 'r',
            });
        }
        told
    }

    const MINUTE: SignedDuration = SignedDuration::from_mins(1);

    #[test]
    fn an_episode_opens_once_rises_once_and_closes_once() {
        let cases = [
            ("..ww..", "  o r "),
            ("wwcc.", "o R r"),
            ("c.", "Or"),
            // A lower severity is not told, and the episode keeps its highest.
            ("wcwc.", "oR  r"),
            // Between the borders nothing opens or closes.
            ("--w--.", "  o  r"),
            // The unknown holds.
            ("?w??.??w", " o  r  o"),
        ];
        for (script, told) in cases {
            assert_eq!(play(Patience::default(), MINUTE, script), told, "{script}");
        }
    }

    #[test]
    fn a_rule_may_wait_for_time_or_for_readings_in_a_row() {
        let minutes = Patience {
            hold: SignedDuration::from_mins(3),
            ..Patience::default()
        };
        for (script, told) in [
            ("wwww.", "   or"),
            ("ww-wwww", "      o"),
            // What is unknown neither helps nor hurts.
            ("w??w", "   o"),
            // Each severity waits for itself.
            ("wwcccccc", "   o R  "),
            ("cccc", "   O"),
        ] {
            assert_eq!(play(minutes, MINUTE, script), told, "{script}");
        }
        let twice = Patience {
            opens_after: 2,
            closes_after: 2,
            ..Patience::default()
        };
        for (script, told) in [
            ("w.ww.w..", "   o   r"),
            ("wccc..", " oR  r"),
            ("w?w.?.", "  o  r"),
            ("wc.-..", " o   r"),
        ] {
            assert_eq!(play(twice, MINUTE, script), told, "{script}");
        }
    }

    #[test]
    fn what_was_closed_by_hand_is_silent_until_clear_or_worse() {
        for (script, told) in [
            ("wxww-w.w", "ox     o"),
            ("wxwcc", "ox O "),
            ("cxcw-c.c", "Ox     O"),
            ("xw", "xo"),
        ] {
            assert_eq!(play(Patience::default(), MINUTE, script), told, "{script}");
        }
    }

    #[test]
    fn what_opens_three_times_a_day_stays_open_until_it_was_quiet() {
        let hour = SignedDuration::from_hours(1);
        for (script, told) in [
            ("w.w.w....w........", "ororo           r "),
            // The first opening is a day old by then.
            (
                "w.......................w.w.",
                "or                      oror",
            ),
        ] {
            assert_eq!(play(Patience::default(), hour, script), told, "{script}");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_neither_opens_nor_blocks() {
        let patience = Patience {
            hold: SignedDuration::from_mins(10),
            ..Patience::default()
        };
        let reading = Reading::new(Verdict::Holds(Severity::Warning), 1.0, 1.0, Unit::Bytes);
        let late = Timestamp::from_second(1_000_000).unwrap();
        let (state, change) = State::default().after(&reading, patience, late);
        assert_eq!(change, None);
        let early = Timestamp::from_second(500_000).unwrap();
        let (state, change) = state.after(&reading, patience, early);
        assert_eq!(change, None);
        let (state, change) =
            state.after(&reading, patience, early + SignedDuration::from_mins(10));
        assert_eq!(change, Some(Change::Opened(Severity::Warning)));
        assert_eq!(state.firing.unwrap().since, early);
    }

    #[test]
    fn reminders_come_by_severity() {
        let told = Timestamp::UNIX_EPOCH;
        for (severity, hours) in [(Severity::Critical, 4), (Severity::Warning, 24)] {
            let due = told + SignedDuration::from_hours(hours);
            assert!(is_reminder_due(severity, told, due));
            assert!(!is_reminder_due(
                severity,
                told,
                due - SignedDuration::from_secs(1)
            ));
        }
    }
}
