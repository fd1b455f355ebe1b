//! One thing to do about an alert, and where it says what to do in full.

use std::borrow::Cow;

use super::kind::AlertType;
use super::subject::Subject;
use crate::name::{shown, shown_table, visible};

/// What a command must name, because there are several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Named<'a> {
    /// The instance.
    pub instance: Option<&'a str>,
    /// The database.
    pub database: Option<&'a str>,
}

impl Named<'_> {
    /// A command about an instance.
    fn instance(self, command: &str) -> String {
        let option = |name| format!(" --instance {}", shell_word(&visible(name)));
        let option = self.instance.map_or_else(String::new, option);
        format!("plimsoll {command}{option}")
    }

    /// A command about a database.
    fn database(self, command: &str) -> String {
        let option = |name| format!(" --database {}", shell_word(&shown(name)));
        let option = self.database.map_or_else(String::new, option);
        format!("{}{option}", self.instance(command))
    }
}

/// One thing to do.
pub fn advice(alert_type: AlertType, subject: &Subject, named: Named<'_>) -> String {
    let table = match (&subject.schema_name, &subject.table_name) {
        (Some(schema), Some(table)) => {
            format!(" --table {}", shell_word(&shown_table(schema, table)))
        }
        _ => String::new(),
    };
    match alert_type {
        AlertType::GrowthWarning | AlertType::AbnormalGrowth => {
            let command = named.database("growth --since 24h");
            format!("Look what grows: {command}{table}")
        }
        AlertType::SizeCritical => {
            let command = named.database("sizes");
            format!("Look what is in there: {command}{table}")
        }
        AlertType::VolumeFull | AlertType::FillingFast => {
            let command = named.instance("disk");
            format!("Look what fills it and what would help: {command}")
        }
        AlertType::TimeToFull => {
            format!("Look what is expected: {}", named.database("forecast"))
        }
        AlertType::WalRetention => {
            let command = named.instance("disk");
            format!("Look who holds WAL and what would be lost: {command}")
        }
        AlertType::OrphanedFiles | AlertType::UnattributedGrowth => {
            let command = named.database("sizes");
            format!(
                "Look what is in no relation: {command}. Remove no file by hand while the server runs."
            )
        }
        AlertType::SamplingStale => {
            let command = named.database("doctor");
            format!("Look what the role can see: {command}")
        }
        AlertType::CleanupFailed => {
            "Look how the run ended: GET /api/jobs, /api/cleanup/history".to_owned()
        }
        AlertType::HistoryAtRisk => {
            "Give the store room, or the right to write: plimsoll store".to_owned()
        }
    }
}

/// Where the project is found; empty where that is not settled.
const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");

/// Where it says what to do in full: an address, or the command that prints it.
pub fn runbook(alert_type: AlertType) -> String {
    runbook_url(alert_type).unwrap_or_else(|| format!("plimsoll alerts runbook {alert_type}"))
}

/// The address of that; none while the project has none.
pub fn runbook_url(alert_type: AlertType) -> Option<String> {
    runbook_at(REPOSITORY, alert_type)
}

fn runbook_at(repository: &str, alert_type: AlertType) -> Option<String> {
    let page = || format!("{repository}/blob/main/docs/ALERTS.md#{alert_type}");
    (!repository.is_empty()).then(page)
}

/// A word as a shell takes it.
fn shell_word(word: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_name_what_there_are_several_of_as_a_shell_takes_it() {
        let shop = Subject::database("prod", "shop");
        let orders = Subject::table("prod", "shop", "sales", "Orders 2026");
        let both = Named {
            instance: Some("it's"),
            database: Some("shop"),
        };
        let instance = Named {
            database: None,
            ..both
        };
        for (alert_type, subject, named, command) in [
            (
                AlertType::GrowthWarning,
                &shop,
                Named::default(),
                "plimsoll growth --since 24h",
            ),
            (
                AlertType::GrowthWarning,
                &shop,
                both,
                r"plimsoll growth --since 24h --instance 'it'\''s' --database shop",
            ),
            (
                AlertType::SizeCritical,
                &orders,
                Named::default(),
                "plimsoll sizes --table 'sales.\"Orders 2026\"'",
            ),
            (
                AlertType::VolumeFull,
                &shop,
                instance,
                r"plimsoll disk --instance 'it'\''s'",
            ),
            // The volumes of an instance are no database's.
            (
                AlertType::WalRetention,
                &shop,
                Named {
                    database: Some("shop"),
                    ..Named::default()
                },
                "plimsoll disk",
            ),
        ] {
            let text = advice(alert_type, subject, named);
            assert!(text.ends_with(command), "{text}");
        }
    }

    #[test]
    fn a_runbook_is_an_address_or_the_command_that_prints_it() {
        let of = AlertType::VolumeFull;
        assert_eq!(runbook_at("", of), None);
        assert_eq!(
            runbook_at("https://example.org/plimsoll", of).as_deref(),
            Some("https://example.org/plimsoll/blob/main/docs/ALERTS.md#volume_full")
        );
        assert!(runbook(of).ends_with("volume_full"));
    }
}
