//! The rules' settings, and which of them a subject has: the first override that fits and names the rule, else the
//! general ones.

use serde::{Deserialize, Serialize};

use super::kind::{AlertType, Severity};
use super::life::Patience;
use super::pattern::Pattern;
use super::rules::growth::GrowthWarning;
use super::rules::size::SizeCritical;
use super::rules::stray::{OrphanedFiles, UnattributedGrowth};
use super::rules::time::{FillingFast, TimeToFull};
use super::rules::upkeep::{HistoryAtRisk, SamplingStale};
use super::rules::volume::VolumeFull;
use super::rules::wal::WalRetention;
use super::subject::Subject;

/// A rule's borders, by the alert that it opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Borders {
    /// Of `growth_warning`.
    GrowthWarning(GrowthWarning),
    /// Of `size_critical`.
    SizeCritical(SizeCritical),
    /// Of `volume_full`.
    VolumeFull(VolumeFull),
    /// Of `time_to_full`.
    TimeToFull(TimeToFull),
    /// Of `filling_fast`.
    FillingFast(FillingFast),
    /// `abnormal_growth` has none.
    AbnormalGrowth,
    /// Of `wal_retention`.
    WalRetention(WalRetention),
    /// Of `orphaned_files`.
    OrphanedFiles(OrphanedFiles),
    /// Of `unattributed_growth`.
    UnattributedGrowth(UnattributedGrowth),
    /// Of `sampling_stale`.
    SamplingStale(SamplingStale),
    /// `cleanup_failed` has none.
    CleanupFailed,
    /// Of `history_at_risk`.
    HistoryAtRisk(HistoryAtRisk),
}

/// A rule as it is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Whether it is evaluated.
    pub enabled: bool,
    /// The severity that it has in place of its own.
    pub severity: Option<Severity>,
    /// How soon it opens and closes.
    pub patience: Patience,
    /// From where on.
    pub borders: Borders,
}

impl Rule {
    /// A rule as it is where nothing is set.
    pub fn default_of(alert_type: AlertType) -> Self {
        let (borders, patience) = match alert_type {
            AlertType::GrowthWarning => (
                Borders::GrowthWarning(GrowthWarning::default()),
                Patience::default(),
            ),
            AlertType::SizeCritical => (
                Borders::SizeCritical(SizeCritical::default()),
                Patience::default(),
            ),
            AlertType::VolumeFull => (
                Borders::VolumeFull(VolumeFull::default()),
                Patience::default(),
            ),
            AlertType::TimeToFull => (
                Borders::TimeToFull(TimeToFull::default()),
                TimeToFull::patience(),
            ),
            AlertType::FillingFast => (
                Borders::FillingFast(FillingFast::default()),
                FillingFast::patience(),
            ),
            AlertType::AbnormalGrowth => (Borders::AbnormalGrowth, Patience::default()),
            AlertType::WalRetention => (
                Borders::WalRetention(WalRetention::default()),
                Patience::default(),
            ),
            AlertType::OrphanedFiles => (
                Borders::OrphanedFiles(OrphanedFiles::default()),
                Patience::default(),
            ),
            AlertType::UnattributedGrowth => (
                Borders::UnattributedGrowth(UnattributedGrowth::default()),
                Patience::default(),
            ),
            AlertType::SamplingStale => (
                Borders::SamplingStale(SamplingStale::default()),
                Patience::default(),
            ),
            AlertType::CleanupFailed => (Borders::CleanupFailed, Patience::default()),
            AlertType::HistoryAtRisk => (
                Borders::HistoryAtRisk(HistoryAtRisk::default()),
                Patience::default(),
            ),
        };
        Self {
            enabled: true,
            severity: None,
            patience,
            borders,
        }
    }

    /// Which alert it opens.
    pub const fn alert_type(&self) -> AlertType {
        match self.borders {
            Borders::GrowthWarning(_) => AlertType::GrowthWarning,
            Borders::SizeCritical(_) => AlertType::SizeCritical,
            Borders::VolumeFull(_) => AlertType::VolumeFull,
            Borders::TimeToFull(_) => AlertType::TimeToFull,
            Borders::FillingFast(_) => AlertType::FillingFast,
            Borders::AbnormalGrowth => AlertType::AbnormalGrowth,
            Borders::WalRetention(_) => AlertType::WalRetention,
            Borders::OrphanedFiles(_) => AlertType::OrphanedFiles,
            Borders::UnattributedGrowth(_) => AlertType::UnattributedGrowth,
            Borders::SamplingStale(_) => AlertType::SamplingStale,
            Borders::CleanupFailed => AlertType::CleanupFailed,
            Borders::HistoryAtRisk(_) => AlertType::HistoryAtRisk,
        }
    }
}

/// All settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// One rule a type.
    rules: Vec<Rule>,
    /// What is set for some subjects, in the order in which they are tried.
    overrides: Vec<(Pattern, Rule)>,
}

impl Settings {
    /// The defaults, but for the `rules` and `overrides` that are given.
    pub fn new(rules: &[Rule], overrides: Vec<(Pattern, Rule)>) -> Self {
        let rules = AlertType::ALL.map(|alert_type| {
            let set = rules.iter().find(|rule| rule.alert_type() == alert_type);
            set.copied().unwrap_or_else(|| Rule::default_of(alert_type))
        });
        Self {
            rules: rules.to_vec(),
            overrides,
        }
    }

    /// The patterns that may name schemas or tables of a database.
    pub fn naming_tables_of(&self, instance: &str, database: &str) -> Vec<&Pattern> {
        let patterns = self.overrides.iter().map(|(pattern, _)| pattern);
        patterns
            .filter(|pattern| pattern.names_tables_of(instance, database))
            .collect()
    }

    /// The rule as it is set for whatever no override fits.
    pub fn general(&self, alert_type: AlertType) -> Option<&Rule> {
        self.rules
            .iter()
            .find(|rule| rule.alert_type() == alert_type)
    }

    /// What is set for some subjects, in the order in which it is tried.
    pub fn overrides(&self) -> &[(Pattern, Rule)] {
        &self.overrides
    }

    /// The rule as it is set for a subject. None for a schema or table that no pattern names.
    pub fn of(&self, alert_type: AlertType, subject: &Subject) -> Option<&Rule> {
        let mut fitting = self
            .overrides
            .iter()
            .filter(|(pattern, rule)| rule.alert_type() == alert_type && pattern.fits(subject));
        if subject.schema_name.is_some() {
            return fitting
                .find(|(pattern, _)| pattern.names_tables())
                .map(|(_, rule)| rule);
        }
        let first = fitting.next().map(|(_, rule)| rule);
        first.or_else(|| self.general(alert_type))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new(&[], Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alert_has_its_rule() {
        let settings = Settings::default();
        for alert_type in AlertType::ALL {
            let rule = settings
                .of(alert_type, &Subject::database("prod", "shop"))
                .unwrap();
            assert_eq!(rule.alert_type(), alert_type);
            assert!(rule.enabled);
        }
    }

    #[test]
    fn the_first_override_that_fits_wins_and_tables_have_rules_only_where_named() {
        let growth = |floor_bytes| Rule {
            borders: Borders::GrowthWarning(GrowthWarning {
                floor_bytes,
                ..GrowthWarning::default()
            }),
            ..Rule::default_of(AlertType::GrowthWarning)
        };
        let pattern = |text: &str| text.parse::<Pattern>().unwrap();
        let settings = Settings::new(
            &[growth(1)],
            vec![
                (pattern("prod/shop"), growth(2)),
                (pattern("prod/*/public.log_*"), growth(3)),
                (pattern("prod"), growth(4)),
            ],
        );
        let of = |subject: &Subject| settings.of(AlertType::GrowthWarning, subject).copied();
        assert_eq!(of(&Subject::database("prod", "shop")), Some(growth(2)));
        assert_eq!(of(&Subject::database("prod", "crm")), Some(growth(4)));
        assert_eq!(of(&Subject::database("test", "crm")), Some(growth(1)));
        assert_eq!(
            of(&Subject::table("prod", "shop", "public", "log_1")),
            Some(growth(3))
        );
        assert_eq!(
            of(&Subject::table("prod", "shop", "public", "orders")),
            None
        );
        let naming = settings.naming_tables_of("prod", "crm");
        assert_eq!(naming, [&pattern("prod/*/public.log_*")]);
        assert!(settings.naming_tables_of("test", "crm").is_empty());
        let other = settings.of(AlertType::SizeCritical, &Subject::database("prod", "shop"));
        assert_eq!(other, Some(&Rule::default_of(AlertType::SizeCritical)));
    }
}
