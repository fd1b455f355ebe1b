//! `[alerts.TYPE]` and `[[alerts.override]]`: when an alert opens and closes.

use plimsoll_core::alert::life::Patience;
use plimsoll_core::alert::pattern::Pattern;
use plimsoll_core::alert::settings::{Borders, Rule, Settings};
use plimsoll_core::alert::{AlertType, Severity};
use serde::{Deserialize, Deserializer};

use crate::bytes::Bytes;
use crate::duration::Length;

/// A rule's table of the configuration: its own keys beside those that every rule has. Each rule takes its own of
/// them, and refuses the others by name.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Table {
    enabled: Option<bool>,
    severity: Option<Severity>,
    #[serde(rename = "for")]
    hold: Option<Length>,
    percent: Option<Percent>,
    floor: Option<Bytes>,
    bytes: Option<Bytes>,
    warning_percent: Option<Percent>,
    critical_percent: Option<Percent>,
    warning: Option<Length>,
    critical: Option<Length>,
    point: Option<Length>,
    times: Option<u32>,
    intervals: Option<u32>,
}

/// A share in per cent, kept in tenths of one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Percent(u32);

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let percent = f64::deserialize(deserializer)?;
        let tenths = percent * 10.0;
        if !(0.0..=100_000.0).contains(&tenths) || (tenths - tenths.round()).abs() > 1e-6 {
            return Err(serde::de::Error::custom(
                "a percentage is a number from 0 to 10000, with one decimal at most",
            ));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is in range"
        )]
        Ok(Self(tenths.round() as u32))
    }
}

macro_rules! tables {
    ($($name:ident => $alert_type:ident),+ $(,)?) => {
        /// The tables of `[alerts]`, as they are written.
        #[derive(Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub(crate) struct Alerts {
            $($name: Option<Table>,)+
            #[serde(rename = "override")]
            overrides: Vec<Override>,
        }

        /// Tables for some subjects.
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Override {
            #[serde(rename = "match")]
            pattern: Pattern,
            $($name: Option<Table>,)+
        }

        impl Alerts {
            fn tables(&self) -> Vec<(AlertType, &Table)> {
                let all = [$((AlertType::$alert_type, &self.$name)),+];
                all.into_iter().filter_map(|(of, table)| Some((of, table.as_ref()?))).collect()
            }
        }

        impl Override {
            fn tables(&self) -> Vec<(AlertType, &Table)> {
                let all = [$((AlertType::$alert_type, &self.$name)),+];
                all.into_iter().filter_map(|(of, table)| Some((of, table.as_ref()?))).collect()
            }
        }
    };
}

tables! {
    growth_warning => GrowthWarning,
    size_critical => SizeCritical,
    volume_full => VolumeFull,
    time_to_full => TimeToFull,
    filling_fast => FillingFast,
    abnormal_growth => AbnormalGrowth,
    wal_retention => WalRetention,
    orphaned_files => OrphanedFiles,
    unattributed_growth => UnattributedGrowth,
    sampling_stale => SamplingStale,
    cleanup_failed => CleanupFailed,
    history_at_risk => HistoryAtRisk,
}

impl Alerts {
    /// What they mean. An override holds what it does not say from the general table.
    pub(crate) fn settings(&self) -> anyhow::Result<Settings> {
        let mut rules: Vec<Rule> = Vec::new();
        for (alert_type, table) in self.tables() {
            let place = format!("[alerts.{alert_type}]");
            rules.push(table.onto(Rule::default_of(alert_type), &place)?);
        }
        let mut overrides = Vec::new();
        for written in &self.overrides {
            for (alert_type, table) in written.tables() {
                let is_of_tables = AlertType::OF_TABLES.contains(&alert_type);
                if written.pattern.names_tables() && !is_of_tables {
                    anyhow::bail!(
                        "the [[alerts.override]] of `{}` names tables, and {alert_type} judges none: leave out what follows \
                         the second /, or one of the two",
                        written.pattern
                    );
                }
                let general = rules.iter().find(|rule| rule.alert_type() == alert_type);
                let general = general
                    .copied()
                    .unwrap_or_else(|| Rule::default_of(alert_type));
                let place = format!(
                    "`{alert_type}` of the [[alerts.override]] of `{}`",
                    written.pattern
                );
                overrides.push((written.pattern.clone(), table.onto(general, &place)?));
            }
        }
        Ok(Settings::new(&rules, overrides))
    }
}

impl Table {
    fn onto(&self, rule: Rule, place: &str) -> anyhow::Result<Rule> {
        let mut left = self.clone();
        let borders = left.borders(rule.borders);
        let foreign = [
            ("percent", left.percent.is_some()),
            ("floor", left.floor.is_some()),
            ("bytes", left.bytes.is_some()),
            ("warning_percent", left.warning_percent.is_some()),
            ("critical_percent", left.critical_percent.is_some()),
            ("warning", left.warning.is_some()),
            ("critical", left.critical.is_some()),
            ("point", left.point.is_some()),
            ("times", left.times.is_some()),
            ("intervals", left.intervals.is_some()),
        ];
        if let Some((key, _)) = foreign.into_iter().find(|(_, is_left)| *is_left) {
            anyhow::bail!("{place} has no key `{key}`; plimsoll.example.toml explains every key");
        }
        if let Some(mistake) = in_the_wrong_order(borders) {
            anyhow::bail!("{place}: {mistake}");
        }
        Ok(Rule {
            enabled: self.enabled.unwrap_or(rule.enabled),
            severity: self.severity.or(rule.severity),
            patience: Patience {
                hold: self.hold.map_or(rule.patience.hold, |length| length.0),
                ..rule.patience
            },
            borders,
        })
    }

    /// The borders with the keys that are theirs, which are taken out.
    fn borders(&mut self, borders: Borders) -> Borders {
        match borders {
            Borders::GrowthWarning(mut own) => {
                own.above_per_mille = per_mille(&mut self.percent, own.above_per_mille);
                own.floor_bytes = self.floor.take().map_or(own.floor_bytes, |floor| floor.0);
                Borders::GrowthWarning(own)
            }
            Borders::SizeCritical(mut own) => {
                own.default_bytes = self.bytes.take().map_or(own.default_bytes, |bytes| bytes.0);
                Borders::SizeCritical(own)
            }
            Borders::VolumeFull(mut own) => {
                own.warning_per_mille = per_mille(&mut self.warning_percent, own.warning_per_mille);
                own.critical_per_mille =
                    per_mille(&mut self.critical_percent, own.critical_per_mille);
                Borders::VolumeFull(own)
            }
            Borders::FillingFast(mut own) => {
                own.warning_seconds = seconds(self.warning.take(), own.warning_seconds);
                own.critical_seconds = seconds(self.critical.take(), own.critical_seconds);
                own.used_per_mille = per_mille(&mut self.percent, own.used_per_mille);
                Borders::FillingFast(own)
            }
            Borders::WalRetention(mut own) => {
                own.warning_bytes = self.bytes.take().map_or(own.warning_bytes, |bytes| bytes.0);
                own.warning_per_mille = per_mille(&mut self.warning_percent, own.warning_per_mille);
                own.critical_per_mille =
                    per_mille(&mut self.critical_percent, own.critical_per_mille);
                Borders::WalRetention(own)
            }
            Borders::SamplingStale(mut own) => {
                own.intervals = self.intervals.take().unwrap_or(own.intervals);
                own.critical_seconds = seconds(self.critical.take(), own.critical_seconds);
                Borders::SamplingStale(own)
            }
            Borders::TimeToFull(mut own) => {
                own.warning_seconds = seconds(self.warning.take(), own.warning_seconds);
                own.critical_seconds = seconds(self.critical.take(), own.critical_seconds);
                own.point_seconds = seconds(self.point.take(), own.point_seconds);
                Borders::TimeToFull(own)
            }
            Borders::OrphanedFiles(mut own) => {
                own.bytes = self.bytes.take().map_or(own.bytes, |bytes| bytes.0);
                Borders::OrphanedFiles(own)
            }
            Borders::HistoryAtRisk(mut own) => {
                own.used_per_mille = per_mille(&mut self.percent, own.used_per_mille);
                Borders::HistoryAtRisk(own)
            }
            Borders::UnattributedGrowth(mut own) => {
                own.bytes = self.bytes.take().map_or(own.bytes, |bytes| bytes.0);
                own.times = self.times.take().unwrap_or(own.times);
                Borders::UnattributedGrowth(own)
            }
            Borders::AbnormalGrowth | Borders::CleanupFailed => borders,
        }
    }
}

fn per_mille(written: &mut Option<Percent>, own: u32) -> u32 {
    written.take().map_or(own, |percent| percent.0)
}

fn seconds(written: Option<Length>, own: i64) -> i64 {
    written.map_or(own, |length| length.0.as_secs())
}

/// What is wrong where an alert would be critical before it is a warning, or never.
fn in_the_wrong_order(borders: Borders) -> Option<&'static str> {
    /// No more than all of it can be used.
    const ALL: u32 = 1000;
    let is_never = match borders {
        Borders::VolumeFull(own) => own.critical_per_mille > ALL,
        Borders::WalRetention(own) => own.critical_per_mille > ALL,
        Borders::FillingFast(own) => own.used_per_mille > ALL,
        _ => false,
    };
    if is_never {
        return Some("no volume is used by more than 100 %");
    }
    let is_wrong = match borders {
        Borders::VolumeFull(own) => own.critical_per_mille < own.warning_per_mille,
        Borders::WalRetention(own) => own.critical_per_mille < own.warning_per_mille,
        Borders::TimeToFull(own) => own.critical_seconds > own.warning_seconds,
        Borders::FillingFast(own) => own.critical_seconds > own.warning_seconds,
        _ => false,
    };
    is_wrong.then_some("it would be critical before it is a warning")
}

#[cfg(test)]
mod tests {
    use plimsoll_core::alert::Subject;
    use plimsoll_core::alert::rules::growth::GrowthWarning;

    use super::*;

    fn settings(text: &str) -> Result<Settings, String> {
        let alerts: Alerts = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        alerts.settings().map_err(|error| error.to_string())
    }

    #[test]
    fn tables_are_read_and_an_override_goes_before_them() {
        let settings = settings(
            "[growth_warning]\npercent = 12.5\nfor = \"1h\"\n[abnormal_growth]\nenabled = false\n\
             [[override]]\nmatch = \"prod/shop\"\ngrowth_warning = { floor = \"1GB\", severity = \"critical\" }",
        )
        .unwrap();
        let growth = |database| {
            *settings
                .of(
                    AlertType::GrowthWarning,
                    &Subject::database("prod", database),
                )
                .unwrap()
        };
        let (general, shop) = (growth("crm"), growth("shop"));
        let default = GrowthWarning::default();
        let borders = |floor_bytes| {
            Borders::GrowthWarning(GrowthWarning {
                above_per_mille: 125,
                floor_bytes,
            })
        };
        assert_eq!(general.borders, borders(default.floor_bytes));
        assert_eq!(shop.borders, borders(1 << 30));
        assert_eq!(
            (general.severity, shop.severity),
            (None, Some(Severity::Critical))
        );
        assert_eq!(shop.patience.hold.as_secs(), 3600);
        let abnormal = settings.of(AlertType::AbnormalGrowth, &Subject::database("prod", "crm"));
        assert!(!abnormal.unwrap().enabled);
    }

    #[test]
    fn every_rule_that_is_judged_has_its_table_and_every_key_counts() {
        for alert_type in AlertType::ALL {
            let off = settings(&format!("[{alert_type}]\nenabled = false")).unwrap();
            let subject = Subject::database("prod", "shop");
            assert!(!off.of(alert_type, &subject).unwrap().enabled);
        }
        for (table, keys) in [
            ("growth_warning", "percent = 1;floor = 8192"),
            ("size_critical", "bytes = 8192"),
            ("volume_full", "warning_percent = 1;critical_percent = 99"),
            (
                "time_to_full",
                "warning = \"9d\";critical = \"1d\";point = \"8d\"",
            ),
            (
                "filling_fast",
                "warning = \"9h\";critical = \"1m\";percent = 5",
            ),
            (
                "wal_retention",
                "bytes = 8192;warning_percent = 1;critical_percent = 99",
            ),
            ("orphaned_files", "bytes = 8192"),
            ("unattributed_growth", "bytes = 8192;times = 9"),
            ("history_at_risk", "percent = 90"),
            ("sampling_stale", "intervals = 9;critical = \"9h\""),
        ] {
            for key in keys.split(';') {
                let text = format!("[{table}]\n{key}");
                let changed = settings(&text).unwrap();
                assert_ne!(changed, Settings::default(), "{text}");
            }
        }
    }

    #[test]
    fn what_a_rule_has_no_key_for_is_refused_by_name() {
        for (text, part) in [
            (
                "[size_critical]\npercent = 5",
                "[alerts.size_critical] has no key `percent`",
            ),
            ("[growth_warning]\npercent = 12.55", "one decimal"),
            ("[growth_warning]\npercent = -1", "one decimal"),
            ("[growth]\npercent = 1", "unknown field `growth`"),
            ("[orphaned_files]\ntimes = 1", "has no key `times`"),
            ("[cleanup_failed]\nbytes = 1", "has no key `bytes`"),
            (
                "[volume_full]\nwarning_percent = 97",
                "critical before it is a warning",
            ),
            (
                "[filling_fast]\ncritical = \"5h\"",
                "critical before it is a warning",
            ),
            (
                "[time_to_full]\ncritical = \"15d\"",
                "critical before it is a warning",
            ),
            (
                "[wal_retention]\nwarning_percent = 15.1",
                "critical before it is a warning",
            ),
            ("[volume_full]\ncritical_percent = 100.1", "more than 100 %"),
            ("[wal_retention]\ncritical_percent = 200", "more than 100 %"),
            ("[filling_fast]\npercent = 101", "more than 100 %"),
            (
                "[[override]]\nmatch = \"*\"\nvolume_full = { critical_percent = 80 }",
                "critical before it is a warning",
            ),
            ("[sampling_stale]\nwarning = \"1h\"", "has no key `warning`"),
            ("[growth_warning]\nseverity = \"bad\"", "unknown variant"),
            ("[[override]]\nmatch = \"\"", "no pattern"),
            (
                "[[override]]\nmatch = \"a/b/public.t\"\nsampling_stale = {}",
                "names tables",
            ),
            ("[[override]]\ngrowth_warning = {}", "missing field `match`"),
            (
                "[[override]]\nmatch = \"*\"\ntime_to_full = { times = 3 }",
                "has no key `times`",
            ),
        ] {
            let error = settings(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
