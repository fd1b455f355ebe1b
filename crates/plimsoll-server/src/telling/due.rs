//! Which message is due about an alert on a channel: pure, from the alert and what the channel was told of it.

use jiff::Timestamp;
use plimsoll_core::alert::life::is_reminder_due;
use plimsoll_core::alert::pattern::Pattern;
use plimsoll_core::alert::{Severity, Subject};
use plimsoll_notify::Event;

/// What a channel takes.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// At least so serious.
    pub(super) least: Severity,
    /// Of these subjects.
    pub(super) pattern: Option<Pattern>,
    /// Whether it is told of ends.
    pub(super) send_resolved: bool,
}

/// An alert, as far as it decides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alert<'a> {
    pub(super) subject: &'a Subject,
    pub(super) severity: Severity,
    pub(super) is_over: bool,
    /// Whether messages about it are held back: by a silence, or because another alert says it.
    pub(super) is_held: bool,
}

/// A message that the channel had about it before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PastMessage {
    pub(super) event: Event,
    pub(super) severity: Severity,
    pub(super) at: Timestamp,
}

/// The message that is due, with whether the channel wants it: what it does not want is only noted. None is due else.
pub(super) fn due(
    wanted: &Wanted,
    alert: Alert<'_>,
    told: &[PastMessage],
    now: Timestamp,
) -> Option<(Event, bool)> {
    let has = |event: Event| told.iter().any(|told| told.event == event);
    let was_opened = has(Event::Opened);
    if alert.is_over {
        return (was_opened && !has(Event::Resolved))
            .then_some((Event::Resolved, wanted.send_resolved));
    }
    let fits = wanted
        .pattern
        .as_ref()
        .is_none_or(|pattern| pattern.fits(alert.subject));
    if alert.is_held || alert.severity < wanted.least || !fits {
        return None;
    }
    if !was_opened {
        return Some((Event::Opened, true));
    }
    let highest = told.iter().map(|told| told.severity).max()?;
    let last = told.iter().map(|told| told.at).max()?;
    if alert.severity > highest {
        return Some((Event::Escalated, true));
    }
    is_reminder_due(alert.severity, last, now).then_some((Event::Reminder, true))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use Severity::{Critical, Warning};

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    fn told(event: Event, severity: Severity, hours: i64) -> PastMessage {
        PastMessage {
            event,
            severity,
            at: at(hours),
        }
    }

    /// What is due of an alert at an hour, on a channel that takes all.
    fn of(
        severity: Severity,
        is_over: bool,
        told: &[PastMessage],
        hour: i64,
    ) -> Option<(Event, bool)> {
        let subject = Subject::database("prod", "shop");
        let alert = Alert {
            subject: &subject,
            severity,
            is_over,
            is_held: false,
        };
        let wanted = Wanted {
            least: Warning,
            pattern: None,
            send_resolved: true,
        };
        due(&wanted, alert, told, at(hour))
    }

    #[test]
    fn an_alert_is_told_once_again_when_it_is_worse_reminded_of_and_ended() {
        let opened = [told(Event::Opened, Warning, 0)];
        assert_eq!(of(Warning, false, &[], 0), Some((Event::Opened, true)));
        assert_eq!(of(Warning, false, &opened, 23), None);
        assert_eq!(
            of(Warning, false, &opened, 24),
            Some((Event::Reminder, true))
        );
        assert_eq!(
            of(Critical, false, &opened, 1),
            Some((Event::Escalated, true))
        );
        let raised = [opened[0], told(Event::Escalated, Critical, 1)];
        assert_eq!(of(Critical, false, &raised, 4), None);
        assert_eq!(
            of(Critical, false, &raised, 5),
            Some((Event::Reminder, true))
        );
        let reminded = [raised[0], raised[1], told(Event::Reminder, Critical, 5)];
        assert_eq!(of(Critical, false, &reminded, 8), None);
        assert_eq!(
            of(Critical, true, &reminded, 8),
            Some((Event::Resolved, true))
        );
        let ended = [raised[0], told(Event::Resolved, Warning, 8)];
        assert_eq!(of(Warning, true, &ended, 99), None);
    }

    #[test]
    fn an_end_is_told_only_to_whom_the_beginning_was() {
        assert_eq!(of(Critical, true, &[], 1), None);
    }

    #[test]
    fn what_is_held_back_is_told_when_it_still_fires_and_ends_are_not_held_back() {
        let subject = Subject::database("prod", "shop");
        let opened = [told(Event::Opened, Warning, 0)];
        for (is_held, is_over, told, expected) in [
            (true, false, &[][..], None),
            (false, false, &[], Some((Event::Opened, true))),
            (true, false, &opened, None),
            (true, true, &opened, Some((Event::Resolved, true))),
        ] {
            let alert = Alert {
                subject: &subject,
                severity: Critical,
                is_over,
                is_held,
            };
            let wanted = Wanted {
                least: Warning,
                pattern: None,
                send_resolved: true,
            };
            assert_eq!(due(&wanted, alert, told, at(99)), expected, "{alert:?}");
        }
    }

    #[test]
    fn a_channel_gets_what_it_takes() {
        let subject = Subject::database("prod", "shop");
        for (least, pattern, severity, expected) in [
            (Critical, None, Warning, false),
            (Critical, None, Critical, true),
            (Warning, Some("prod"), Warning, true),
            (Warning, Some("test"), Critical, false),
        ] {
            let wanted = Wanted {
                least,
                pattern: pattern.map(|text| text.parse().unwrap()),
                send_resolved: false,
            };
            let alert = Alert {
                subject: &subject,
                severity,
                is_over: false,
                is_held: false,
            };
            let is_due = due(&wanted, alert, &[], at(0)).is_some();
            assert_eq!(is_due, expected, "{wanted:?} {severity}");
            let over = Alert {
                is_over: true,
                ..alert
            };
            let opened = [told(Event::Opened, severity, 0)];
            assert_eq!(
                due(&wanted, over, &opened, at(0)),
                Some((Event::Resolved, false)),
                "it is noted"
            );
        }
    }
}
