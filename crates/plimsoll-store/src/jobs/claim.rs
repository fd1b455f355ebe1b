//! Whose a run is: the claim that its holder owns, and when a job may be claimed.

use std::fmt::Write;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// How far one clock may be ahead of another, a client's of the store's or of another client's, before what
/// it wrote counts as written in the future. Wider than clocks that are kept right differ, and no longer
/// than a job may be late for it.
pub const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// A run of a job, held by who claimed it. There is no second one for the same run, and nobody can make
/// one: its token is random, and known to nobody but the store.
#[derive(Debug)]
#[must_use = "a claim that nobody keeps, finishes or abandons holds its job up until it is stale"]
pub struct Claim {
    pub(super) job: String,
    pub(super) scheduled_for: Timestamp,
    pub(super) token: Token,
}

impl Claim {
    /// The job's name.
    pub fn job(&self) -> &str {
        &self.job
    }

    /// The scheduled time that the run is for.
    pub const fn scheduled_for(&self) -> Timestamp {
        self.scheduled_for
    }
}

/// Whether a claim was still its holder's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a run whose claim was lost is another's by now, and must stop"]
pub enum Held {
    /// It was.
    Ours,
    /// It was found stale and another process took the run over, or it had ended already. Nothing was
    /// written.
    Lost,
}

impl Held {
    pub(super) const fn from_rows(changed: u64) -> Self {
        if changed > 0 { Self::Ours } else { Self::Lost }
    }
}

/// What tells a claim from every other: 128 random bits.
pub(crate) struct Token(String);

impl Token {
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        let mut text = String::with_capacity(32);
        for byte in bytes {
            // writing into a String cannot fail
            let _ = write!(text, "{byte:02x}");
        }
        Ok(Self(text))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

/// What the store knows of a job when a run of it is to be claimed.
#[derive(Debug, Clone, Default)]
pub(super) struct LastRun {
    pub(super) started_at: Option<Timestamp>,
    pub(super) finished_at: Option<Timestamp>,
    /// When its holder last said that it is under way; none where it was given up.
    pub(super) beat_at: Option<Timestamp>,
    /// The last scheduled time that was begun.
    pub(super) scheduled_for: Option<Timestamp>,
    /// The last one that lay in the store's future when it was begun.
    pub(super) ahead_for: Option<Timestamp>,
}

/// Whether a scheduled time lies in the future.
pub(super) fn is_ahead(at: Timestamp, now: Timestamp) -> bool {
    at.duration_since(now) > CLOCK_SKEW
}

/// Whether a run for a scheduled time may begin, by the store's clock.
///
/// One that is under way keeps all others from beginning, until its holder was silent for `stale_after`.
/// One that ended is never repeated for its scheduled time, nor for an earlier one.
///
/// What was written while a clock was ahead, the store's or a client's, keeps nobody from running: a beat
/// in the future is no sign of life, and a scheduled time in the future counts against itself only.
pub(super) fn may_begin(
    last: &LastRun,
    scheduled_for: Timestamp,
    now: Timestamp,
    stale_after: Duration,
) -> bool {
    let stale_after = SignedDuration::try_from(stale_after).unwrap_or(SignedDuration::MAX);
    let is_unfinished = last.started_at.is_some() && last.finished_at.is_none();
    let is_alive = is_unfinished
        && last
            .beat_at
            .is_some_and(|beat| now.duration_since(beat).abs() < stale_after);
    if is_alive {
        return false;
    }
    if is_ahead(scheduled_for, now) {
        return is_unfinished || last.ahead_for != Some(scheduled_for);
    }
    match last.scheduled_for.filter(|last| !is_ahead(*last, now)) {
        Some(last) => last < scheduled_for || (is_unfinished && last == scheduled_for),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn ran(scheduled_for: &str) -> LastRun {
        LastRun {
            started_at: Some(at(scheduled_for)),
            finished_at: Some(at(scheduled_for)),
            beat_at: Some(at(scheduled_for)),
            scheduled_for: Some(at(scheduled_for)),
            ahead_for: None,
        }
    }

    fn running(scheduled_for: &str, beat_at: Option<&str>) -> LastRun {
        LastRun {
            finished_at: None,
            beat_at: beat_at.map(at),
            ..ran(scheduled_for)
        }
    }

    #[test]
    fn a_run_begins_once_and_never_beside_a_living_one() {
        let now = at("2026-03-10T12:00:00Z");
        let (earlier, due) = ("2026-03-10T11:00:00Z", "2026-03-10T12:00:00Z");
        let next_year = "2027-03-10T12:00:00Z";
        let ahead = |for_time: &str| LastRun {
            ahead_for: Some(at(for_time)),
            ..ran(earlier)
        };
        for (last, requested, expect) in [
            (LastRun::default(), due, true),
            (ran(earlier), due, true),
            (ran(due), due, false),
            (ran(due), earlier, false),
            // under way
            (running(due, Some("2026-03-10T11:59:30Z")), due, false),
            (running(earlier, Some("2026-03-10T11:59:30Z")), due, false),
            // died, or gave up: for the same time, not for an earlier one
            (running(due, Some("2026-03-10T11:59:00Z")), due, true),
            (running(due, Some("2026-03-10T11:59:00Z")), earlier, false),
            (running(due, None), due, true),
            // a clock was ahead when this was written, the store's too
            (ran(next_year), due, true),
            (running(next_year, Some(next_year)), due, true),
            (running(due, Some(next_year)), due, true),
            // a client's clock is ahead: it runs by its own time, and holds nobody up
            (ran(due), next_year, true),
            (ahead(next_year), next_year, false),
            (ahead(next_year), due, true),
            (ahead("2028-03-10T12:00:00Z"), next_year, true),
        ] {
            let may = may_begin(&last, at(requested), now, Duration::from_secs(60));
            assert_eq!(may, expect, "{requested} after {last:?}");
        }
    }

    #[test]
    fn tokens_are_each_their_own_and_are_not_shown() {
        let [one, two] = [Token::new().unwrap(), Token::new().unwrap()];
        assert_eq!(one.as_str().len(), 32);
        assert_ne!(one.as_str(), two.as_str());
        assert!(!format!("{one:?}").contains(one.as_str()));
    }
}
