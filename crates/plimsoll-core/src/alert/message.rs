//! What an alert says to people: what, since when, of what it is made, what to do. The same words in every channel.

use jiff::Timestamp;

use super::advice::{Named, advice, runbook};
use super::contributors::Contributor;
use super::kind::AlertType;
use super::reading::{Reading, Unit};
use super::subject::Subject;
use crate::name::{shown, shown_table, visible};
use crate::size_text::{pretty, pretty_signed};

/// What there is to say.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Which alert.
    pub alert_type: AlertType,
    /// About what.
    pub subject: &'a Subject,
    /// The numbers.
    pub reading: &'a Reading,
    /// Since when the condition holds.
    pub since: Timestamp,
    /// What the change is made of,
    pub contributors: &'a [Contributor],
    /// and since when it counts, where that is not what the headline says.
    pub counted_since: Option<Timestamp>,
    /// What happened to it lately, for people.
    pub events: &'a [String],
    /// When it is full, for people.
    pub forecast: Option<&'a str>,
    /// What the command that helps must name.
    pub named: Named<'a>,
}

/// The whole text: a line that stands alone, and lines with the reasons.
pub fn message(facts: Facts<'_>) -> String {
    let mut lines = vec![headline(facts.alert_type, facts.subject, facts.reading)];
    lines.push(format!("It is so since {:.0}.", facts.since));
    if !facts.contributors.is_empty() {
        let shares: Vec<String> = facts
            .contributors
            .iter()
            .map(|share| format!("{} {}", pretty_signed(share.bytes), share.text()))
            .collect();
        let of = facts
            .counted_since
            .map_or_else(|| "Of this".to_owned(), |since| format!("Since {since:.0}"));
        lines.push(format!("{of}: {}.", shares.join(", ")));
    }
    let note = facts.reading.note.as_ref();
    let note = note.filter(|note| !lines.iter().any(|line| line.contains(*note)));
    lines.extend(note.map(|note| format!("That is: {note}.")));
    lines.extend(facts.events.iter().map(|event| visible(event).into_owned()));
    lines.extend(facts.forecast.map(str::to_owned));
    lines.push(advice(facts.alert_type, facts.subject, facts.named));
    lines.push(format!("Runbook: {}", runbook(facts.alert_type)));
    lines.join("\n")
}

/// The line that stands alone: subject and numbers.
pub fn headline(alert_type: AlertType, subject: &Subject, reading: &Reading) -> String {
    let subject_text = subject_text(subject);
    let value = reading.value.map_or_else(
        || "an unknown amount".to_owned(),
        |value| amount(value, reading.unit),
    );
    let threshold = reading.threshold.map_or_else(
        || "its limit".to_owned(),
        |value| amount(value, reading.unit),
    );
    match alert_type {
        AlertType::GrowthWarning => {
            let percent = reading
                .growth_percent()
                .map(|percent| format!(" ({percent:.1} %)"))
                .unwrap_or_default();
            let now = reading
                .current_bytes
                .map(|bytes| format!(", to {}", pretty(bytes)))
                .unwrap_or_default();
            format!("{subject_text} grew by {value}{percent} in 24 hours{now}")
        }
        AlertType::SizeCritical => {
            format!("{subject_text} is {value}, above its limit of {threshold}")
        }
        AlertType::VolumeFull if reading.unit == Unit::PercentOfInodes => {
            format!("{subject_text} has used {value} (limit {threshold})")
        }
        AlertType::VolumeFull => format!("{subject_text} is {value} full (limit {threshold})"),
        AlertType::TimeToFull => format!("{subject_text} may reach its limit in {value}"),
        AlertType::FillingFast => format!("{subject_text} is full in {value} at the present pace"),
        AlertType::AbnormalGrowth => {
            format!(
                "{subject_text} grows as it did not use to: {value} a day in the last three days"
            )
        }
        AlertType::WalRetention => format!("{subject_text} holds {value} of WAL"),
        AlertType::OrphanedFiles => {
            format!("{subject_text} has {value} in files that no relation owns")
        }
        AlertType::UnattributedGrowth => {
            format!("{subject_text} has {value} in no relation, and it grows")
        }
        AlertType::SamplingStale => format!("{subject_text} has had no good sample for {value}"),
        AlertType::CleanupFailed => format!("the last cleanup run of {subject_text} failed"),
        AlertType::HistoryAtRisk => match (&reading.note, reading.value) {
            (Some(why), Some(_)) => {
                format!("{subject_text} is not kept: {why}; its volume is {value} full")
            }
            (Some(why), None) => format!("{subject_text} is not kept: {why}"),
            (None, _) => {
                format!("the volume of {subject_text} is {value} full (limit {threshold})")
            }
        },
    }
}

/// A subject for people.
pub fn subject_text(subject: &Subject) -> String {
    if let Some(volume) = &subject.volume {
        let host = subject
            .name
            .as_ref()
            .map_or_else(String::new, |host| format!(" of host {}", visible(host)));
        let of = match &*subject.instance {
            "" => String::new(),
            instance => format!(" of {}", visible(instance)),
        };
        return format!("volume {}{host}{of}", visible(volume));
    }
    let instance = visible(&subject.instance);
    let place = match (&subject.database, &subject.schema_name, &subject.table_name) {
        (Some(database), Some(schema), Some(table)) => {
            format!(
                "{} in {} on {instance}",
                shown_table(schema, table),
                shown(database)
            )
        }
        (Some(database), Some(schema), None) => {
            format!(
                "schema {} in {} on {instance}",
                shown(schema),
                shown(database)
            )
        }
        (Some(database), None, _) => format!("{} on {instance}", shown(database)),
        (None, ..) => instance.into_owned(),
    };
    match &subject.name {
        Some(name) if place.is_empty() => visible(name).into_owned(),
        Some(name) => format!("{} on {place}", visible(name)),
        None => place,
    }
}

/// A value of a rule for people.
pub fn amount(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Bytes | Unit::BytesPerDay => {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "`as` saturates"
            )]
            let size = value.abs().round() as u64;
            let sign = if value < 0.0 { "-" } else { "" };
            format!("{sign}{}", pretty(size))
        }
        Unit::Percent => format!("{value:.1} %"),
        Unit::PercentOfInodes => format!("{value:.1} % of its inodes"),
        Unit::Seconds if value < 2.0 * 3600.0 => format!("{:.0} minutes", value / 60.0),
        Unit::Seconds if value < 48.0 * 3600.0 => format!("{:.0} hours", value / 3600.0),
        Unit::Seconds => format!("{:.0} days", value / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::contributors::{Part, contributors};
    use crate::alert::kind::Severity;
    use crate::alert::reading::Verdict;

    fn reading(value: f64, threshold: f64, unit: Unit) -> Reading {
        Reading::new(Verdict::Holds(Severity::Warning), value, threshold, unit)
    }

    #[test]
    fn an_index_and_another_tables_toast_are_named_with_their_bytes() {
        const MB: i64 = 1 << 20;
        let share = |part, table: &str, name: Option<&str>, bytes| Contributor {
            part,
            schema_name: Some("public".into()),
            table_name: Some(table.into()),
            name: name.map(str::to_owned),
            bytes,
        };
        let shop = Subject::database("prod", "shop");
        let shares = contributors(
            vec![
                share(Part::Index, "orders", Some("orders_by_day"), 700 * MB),
                share(Part::Toast, "mails", None, 500 * MB),
                share(Part::Heap, "orders", None, 0),
            ],
            1200 * MB,
        );
        let reading = reading(1_258_291_200.0, 209_715_200.0, Unit::Bytes)
            .with_bytes(Some(2_306_867_200), Some(1_048_576_000));
        let text = message(Facts {
            alert_type: AlertType::GrowthWarning,
            subject: &shop,
            reading: &reading,
            since: Timestamp::UNIX_EPOCH,
            contributors: &shares,
            counted_since: None,
            events: &["orders_by_day was reindexed".to_owned()],
            forecast: Some("Full between 2026-03-01 and 2026-05-01."),
            named: Named::default(),
        });
        assert_eq!(
            text,
            "shop on prod grew by 1200 MB (120.0 %) in 24 hours, to 2200 MB\n\
             It is so since 1970-01-01T00:00:00Z.\n\
             Of this: +700 MB index orders_by_day of orders, +500 MB the toast of mails.\n\
             orders_by_day was reindexed\n\
             Full between 2026-03-01 and 2026-05-01.\n\
             Look what grows: plimsoll growth --since 24h\n\
             Runbook: plimsoll alerts runbook growth_warning"
        );
    }

    #[test]
    fn every_alert_has_its_words_and_no_name_breaks_a_line() {
        let hostile = Subject::table("p\nrod", "s\u{202e}hop", "public", "a\r\nb").named("x\ny");
        for alert_type in AlertType::ALL {
            let line = headline(alert_type, &hostile, &reading(90.0, 80.0, Unit::Percent));
            assert!(!line.contains(['\n', '\r', '\u{202e}']), "{line:?}");
            let advice = advice(alert_type, &hostile, Named::default());
            assert!(
                line.len() > 10 && !advice.contains(['\n', '\u{202e}']),
                "{advice:?}"
            );
            assert!(runbook(alert_type).contains(alert_type.as_str()));
        }
    }

    #[test]
    fn amounts_have_the_units_of_their_rule() {
        for (value, unit, text) in [
            (1_048_576.0, Unit::Bytes, "1024 kB"),
            (85.04, Unit::Percent, "85.0 %"),
            (98.0, Unit::PercentOfInodes, "98.0 % of its inodes"),
            (3600.0, Unit::Seconds, "60 minutes"),
            (86_400.0, Unit::Seconds, "24 hours"),
            (14.0 * 86_400.0, Unit::Seconds, "14 days"),
        ] {
            assert_eq!(amount(value, unit), text);
        }
        assert_eq!(
            subject_text(&Subject::volume("ext4 /dev/vda1")),
            "volume ext4 /dev/vda1"
        );
        let seen = Subject::volume("/dev/vda1").named("db1");
        assert_eq!(subject_text(&seen), "volume /dev/vda1 of host db1");
        let guessed = Subject {
            volume: Some("data".to_owned()),
            ..Subject::instance("prod")
        };
        assert_eq!(subject_text(&guessed), "volume data of prod");
        assert_eq!(
            subject_text(&Subject::instance("prod").named("slot s")),
            "slot s on prod"
        );
    }
}
