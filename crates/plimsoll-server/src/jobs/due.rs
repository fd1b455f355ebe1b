//! Whether a job is due: pure, so that a year of it is a test.

use jiff::Timestamp;
use plimsoll_store::JobState;

use crate::settings::Cron;

/// What there is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Run for this scheduled time.
    Now(Timestamp),
    /// Nothing before this time.
    At(Timestamp),
    /// The cron expression has no further time.
    Never,
}

/// Whether a job is due `now`.
///
/// Missed times collapse into one run, for the last of them. A job that never ran is due for what is scheduled after
/// `baseline`; without that, for the last scheduled time. What lies in the
/// future was written before a clock was set back, and silences nothing.
pub(super) fn due(
    cron: &Cron,
    state: Option<&JobState>,
    baseline: Option<Timestamp>,
    now: Timestamp,
) -> Due {
    let is_unfinished = state.is_some_and(|s| s.last_finished_at.is_none());
    let last_begun = state
        .and_then(|state| state.last_begun(now))
        .or(baseline.filter(|since| *since <= now));
    let last_time = cron.last_until(now);
    match (last_time, last_begun) {
        (Some(time), Some(begun)) if time > begun => Due::Now(time),
        (Some(time), None) => Due::Now(time),
        // Under way in another process, or left behind by one that died: the store decides.
        (Some(time), Some(begun)) if is_unfinished && time == begun => Due::Now(time),
        _ => cron.next_after(now).map_or(Due::Never, Due::At),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn ran(scheduled_for: &str, finished: bool) -> JobState {
        JobState {
            name: "sample_storage_sizes/main".into(),
            last_started_at: Some(at(scheduled_for)),
            last_finished_at: finished.then(|| at(scheduled_for)),
            last_outcome: finished.then(|| "ok".into()),
            last_scheduled_for: Some(at(scheduled_for)),
            ..JobState::default()
        }
    }

    #[test]
    fn missed_times_collapse_into_one_run() {
        let cron: Cron = "0 3 * * *".parse().unwrap();
        let now = at("2026-03-10T12:00:00Z");
        let last = at("2026-03-10T03:00:00Z");
        let next = at("2026-03-11T03:00:00Z");
        for (state, baseline, expect) in [
            (None, None, Due::Now(last)),
            (None, Some(at("2026-03-10T11:00:00Z")), Due::At(next)),
            (None, Some(at("2026-03-10T02:00:00Z")), Due::Now(last)),
            (Some(ran("2026-03-10T03:00:00Z", true)), None, Due::At(next)),
            (
                Some(ran("2026-03-10T03:00:00Z", false)),
                None,
                Due::Now(last),
            ),
            (
                Some(ran("2026-03-06T03:00:00Z", true)),
                None,
                Due::Now(last),
            ),
            (
                Some(ran("2027-03-06T03:00:00Z", true)),
                None,
                Due::Now(last),
            ),
            // the clock was set back below the start
            (None, Some(at("2027-03-06T03:00:00Z")), Due::Now(last)),
            (
                Some(ran("2027-03-06T03:00:00Z", true)),
                Some(at("2026-06-01T00:00:00Z")),
                Due::Now(last),
            ),
        ] {
            assert_eq!(
                due(&cron, state.as_ref(), baseline, now),
                expect,
                "{state:?}"
            );
        }
    }
}
