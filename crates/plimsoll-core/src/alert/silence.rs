//! What holds messages back: silences, maintenance windows, and alerts that say more. None of them stops evaluation:
//! what still fires when a silence ends is told then.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::kind::{AlertType, Severity};
use super::pattern::Pattern;
use super::subject::Subject;

/// Messages about what fits are held back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Which subjects.
    pub pattern: Pattern,
    /// Which alerts; none stands for all.
    pub alert_type: Option<AlertType>,
    /// When.
    pub when: When,
    /// Who wanted it.
    pub who: String,
    /// Why.
    pub why: String,
}

/// When a silence holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// From one moment until another.
    Until {
        /// It begins.
        from: Timestamp,
        /// It ends.
        until: Timestamp,
    },
    /// So long from each time on that its schedule names.
    Window {
        /// The last time that the schedule named, up to now; none if it never did.
        began: Option<Timestamp>,
        /// How long.
        length: SignedDuration,
    },
}

impl Silence {
    /// Until when it holds back messages about a subject; none if it does not now.
    pub fn holds_until(
        &self,
        alert_type: AlertType,
        subject: &Subject,
        now: Timestamp,
    ) -> Option<Timestamp> {
        if self.alert_type.is_some_and(|only| only != alert_type) || !self.pattern.fits(subject) {
            return None;
        }
        self.holds_now_until(now)
    }

    /// Until when it holds back messages about what it fits; none if it does not now.
    pub fn holds_now_until(&self, now: Timestamp) -> Option<Timestamp> {
        let (from, until) = match self.when {
            When::Until { from, until } => (from, until),
            When::Window { began, length } => (began?, began?.checked_add(length).ok()?),
        };
        (from <= now && now < until).then_some(until)
    }
}

/// Until when messages about a subject are held back: the last end of those that hold.
pub fn silenced_until(
    silences: &[Silence],
    alert_type: AlertType,
    subject: &Subject,
    now: Timestamp,
) -> Option<Timestamp> {
    silences
        .iter()
        .filter_map(|silence| silence.holds_until(alert_type, subject, now))
        .max()
}

/// An alert that fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Firing<'a> {
    /// What it is.
    pub alert_type: AlertType,
    /// About what.
    pub subject: &'a Subject,
    /// How serious.
    pub severity: Severity,
}

/// Whether one of `others` says what `alert` says, and more: the same alert of its database or schema that is as serious; and
/// a full volume of the forecast that says when that volume is full.
pub fn is_swallowed(alert: Firing<'_>, others: &[Firing<'_>]) -> bool {
    others.iter().any(|other| {
        let is_outer = other.alert_type == alert.alert_type
            && other.severity >= alert.severity
            && other.subject != alert.subject
            && alert.subject.schema_name.is_some()
            && alert.subject.is_within(other.subject);
        let is_full = alert.alert_type == AlertType::TimeToFull
            && other.alert_type == AlertType::VolumeFull
            && other.severity == Severity::Critical
            && other.subject == alert.subject;
        is_outer || is_full
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    fn silence(pattern: &str, alert_type: Option<AlertType>, when: When) -> Silence {
        Silence {
            pattern: pattern.parse().unwrap(),
            alert_type,
            when,
            who: "ops".into(),
            why: "migration".into(),
        }
    }

    #[test]
    fn a_silence_holds_in_its_time_for_what_it_fits() {
        let shop = Subject::database("prod", "shop");
        let until = When::Until {
            from: at(10),
            until: at(12),
        };
        let all = silence("prod", None, until);
        let held = |silence: &Silence, hour| {
            silence.holds_until(AlertType::GrowthWarning, &shop, at(hour))
        };
        assert_eq!(
            [9, 10, 11, 12].map(|hour| held(&all, hour)),
            [None, Some(at(12)), Some(at(12)), None]
        );
        assert_eq!(held(&silence("test", None, until), 11), None);
        assert_eq!(
            held(&silence("prod", Some(AlertType::VolumeFull), until), 11),
            None
        );
        let window = |began| When::Window {
            began,
            length: SignedDuration::from_hours(2),
        };
        assert_eq!(
            held(&silence("*", None, window(Some(at(10)))), 11),
            Some(at(12))
        );
        assert_eq!(held(&silence("*", None, window(Some(at(9)))), 11), None);
        assert_eq!(held(&silence("*", None, window(None)), 11), None);
        let both = [all, silence("*", None, window(Some(at(11))))];
        assert_eq!(
            silenced_until(&both, AlertType::GrowthWarning, &shop, at(11)),
            Some(at(13))
        );
    }

    #[test]
    fn what_another_alert_says_with_more_is_not_told() {
        use AlertType::{GrowthWarning, SizeCritical, TimeToFull, VolumeFull};
        use Severity::{Critical, Warning};
        let (shop, volume) = (
            Subject::database("prod", "shop"),
            Subject::volume("ext4 /dev/vda1"),
        );
        let orders = Subject::table("prod", "shop", "public", "orders");
        let firing = |alert_type, subject, severity| Firing {
            alert_type,
            subject,
            severity,
        };
        let schema = Subject {
            table_name: None,
            ..orders.clone()
        };
        let other_schema = Subject {
            schema_name: Some("archive".into()),
            ..schema.clone()
        };
        let elsewhere = volume.clone().named("db2");
        let cases = [
            (
                firing(GrowthWarning, &orders, Warning),
                firing(GrowthWarning, &shop, Warning),
                true,
            ),
            (
                firing(GrowthWarning, &shop, Warning),
                firing(GrowthWarning, &orders, Warning),
                false,
            ),
            (
                firing(GrowthWarning, &orders, Warning),
                firing(SizeCritical, &shop, Critical),
                false,
            ),
            (
                firing(GrowthWarning, &orders, Critical),
                firing(GrowthWarning, &shop, Warning),
                false,
            ),
            (
                firing(GrowthWarning, &shop, Warning),
                firing(GrowthWarning, &shop, Warning),
                false,
            ),
            (
                firing(GrowthWarning, &schema, Warning),
                firing(GrowthWarning, &shop, Warning),
                true,
            ),
            (
                firing(GrowthWarning, &orders, Warning),
                firing(GrowthWarning, &schema, Critical),
                true,
            ),
            (
                firing(GrowthWarning, &orders, Warning),
                firing(GrowthWarning, &other_schema, Critical),
                false,
            ),
            // A database's own limit is another than its volume's room.
            (
                firing(TimeToFull, &shop, Critical),
                firing(VolumeFull, &volume, Critical),
                false,
            ),
            // Another host has a device of the same name.
            (
                firing(TimeToFull, &elsewhere, Critical),
                firing(VolumeFull, &volume, Critical),
                false,
            ),
            (
                firing(TimeToFull, &volume, Critical),
                firing(VolumeFull, &elsewhere, Critical),
                false,
            ),
            (
                firing(TimeToFull, &elsewhere, Critical),
                firing(VolumeFull, &elsewhere, Critical),
                true,
            ),
            (
                firing(TimeToFull, &volume, Critical),
                firing(VolumeFull, &volume, Critical),
                true,
            ),
            (
                firing(TimeToFull, &volume, Critical),
                firing(VolumeFull, &volume, Warning),
                false,
            ),
            (
                firing(TimeToFull, &orders, Warning),
                firing(VolumeFull, &volume, Critical),
                false,
            ),
        ];
        for (alert, other, expected) in cases {
            assert_eq!(
                is_swallowed(alert, &[other]),
                expected,
                "{alert:?} beside {other:?}"
            );
        }
    }
}
