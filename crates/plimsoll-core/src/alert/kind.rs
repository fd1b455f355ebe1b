//! Which alerts there are, and how serious one is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How serious an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Look at it in working hours.
    Warning,
    /// Look at it now.
    Critical,
}

impl Severity {
    /// Each, the milder first.
    pub const ALL: [Self; 2] = [Self::Warning, Self::Critical];

    /// The name that answers and stores carry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// What an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertType {
    /// A database grew much in a day.
    GrowthWarning,
    /// A database is larger than its limit.
    SizeCritical,
    /// A volume is nearly full, of bytes or of inodes.
    VolumeFull,
    /// By the forecast a limit is near.
    TimeToFull,
    /// At the present pace a volume is full within hours.
    FillingFast,
    /// A database grows as it did not use to.
    AbnormalGrowth,
    /// A slot, the archiver or a setting keeps WAL from being removed.
    WalRetention,
    /// Files lie in a database's folder that no relation owns.
    OrphanedFiles,
    /// Bytes of no relation grow.
    UnattributedGrowth,
    /// There is no recent good sample.
    SamplingStale,
    /// A policy's last run failed.
    CleanupFailed,
    /// The store cannot be written, or soon cannot.
    HistoryAtRisk,
}

impl AlertType {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::GrowthWarning,
        Self::SizeCritical,
        Self::VolumeFull,
        Self::TimeToFull,
        Self::FillingFast,
        Self::AbnormalGrowth,
        Self::WalRetention,
        Self::OrphanedFiles,
        Self::UnattributedGrowth,
        Self::SamplingStale,
        Self::CleanupFailed,
        Self::HistoryAtRisk,
    ];

    /// Their names.
    pub const NAMES: [&'static str; Self::ALL.len()] = {
        let mut names = [""; Self::ALL.len()];
        let mut at = 0;
        while at < names.len() {
            names[at] = Self::ALL[at].as_str();
            at += 1;
        }
        names
    };

    /// Those that judge schemas, sets and tables, too, where a pattern names them.
    pub const OF_TABLES: [Self; 3] = [
        Self::GrowthWarning,
        Self::SizeCritical,
        Self::AbnormalGrowth,
    ];

    /// The name that answers, stores and the configuration carry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GrowthWarning => "growth_warning",
            Self::SizeCritical => "size_critical",
            Self::VolumeFull => "volume_full",
            Self::TimeToFull => "time_to_full",
            Self::FillingFast => "filling_fast",
            Self::AbnormalGrowth => "abnormal_growth",
            Self::WalRetention => "wal_retention",
            Self::OrphanedFiles => "orphaned_files",
            Self::UnattributedGrowth => "unattributed_growth",
            Self::SamplingStale => "sampling_stale",
            Self::CleanupFailed => "cleanup_failed",
            Self::HistoryAtRisk => "history_at_risk",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for AlertType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A type or severity that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither of {1}")]
pub struct UnknownName(String, String);

impl UnknownName {
    pub(super) fn new(text: &str, names: &[&str]) -> Self {
        Self(text.to_owned(), names.join(", "))
    }
}

impl FromStr for AlertType {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let find = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        find.ok_or_else(|| UnknownName::new(text, &Self::NAMES))
    }
}

impl FromStr for Severity {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let all = [Self::Warning, Self::Critical];
        let find = all.into_iter().find(|severity| severity.as_str() == text);
        find.ok_or_else(|| UnknownName::new(text, &all.map(Self::as_str)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back_and_is_the_one_that_serde_writes() {
        for kind in AlertType::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        for severity in [Severity::Warning, Severity::Critical] {
            assert_eq!(severity.as_str().parse(), Ok(severity));
            assert_eq!(serde_json::to_value(severity).unwrap(), severity.as_str());
        }
        let error = "growth".parse::<AlertType>().unwrap_err().to_string();
        assert!(
            error.contains("`growth`") && error.contains("growth_warning"),
            "{error}"
        );
        assert!(Severity::Critical > Severity::Warning);
    }
}
