//! A share of a volume's used bytes, and where it was read.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::size::signed;

/// Kinds of parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One database, without its temporary files.
    Database,
    /// Relations that all databases share (`global`).
    Global,
    /// `pg_wal`.
    Wal,
    /// Temporary files of running statements (`pgsql_tmp`).
    Temporary,
    /// The server's own log files.
    Log,
    /// `pg_replslot` with spilled changes, snapshots and `pg_logical`.
    Replication,
    /// `pg_xact`, `pg_multixact`, `pg_subtrans`, `pg_commit_ts`.
    TransactionStatus,
    /// What else is in the data directory.
    OtherInDataDirectory,
    /// Another watched instance, by its name.
    Instance,
    /// Plimsoll's own store.
    Plimsoll,
    /// Not PostgreSQL's and not Plimsoll's.
    Elsewhere,
    /// What the sizes of files and the volume disagree on: compression, holes, shared blocks. Signed.
    FileSystem,
    /// What no part accounts for. Signed.
    Unexplained,
}

impl Kind {
    /// All, in the order in which they are listed.
    pub const ALL: [Self; 13] = [
        Self::Database,
        Self::Global,
        Self::Wal,
        Self::Temporary,
        Self::Log,
        Self::Replication,
        Self::TransactionStatus,
        Self::OtherInDataDirectory,
        Self::Instance,
        Self::Plimsoll,
        Self::Elsewhere,
        Self::FileSystem,
        Self::Unexplained,
    ];

    /// As it is written in answers and kept.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Global => "global",
            Self::Wal => "wal",
            Self::Temporary => "temporary",
            Self::Log => "log",
            Self::Replication => "replication",
            Self::TransactionStatus => "transaction_status",
            Self::OtherInDataDirectory => "other_in_data_directory",
            Self::Instance => "instance",
            Self::Plimsoll => "plimsoll",
            Self::Elsewhere => "elsewhere",
            Self::FileSystem => "file_system",
            Self::Unexplained => "unexplained",
        }
    }

    /// Whether it lies in the data directory, or where a link in it leads.
    pub const fn is_in_data_directory(self) -> bool {
        !self.is_rest() && !self.is_others()
    }

    /// Whether it is what somebody else has there whom Plimsoll knows.
    pub const fn is_others(self) -> bool {
        matches!(self, Self::Instance | Self::Plimsoll)
    }

    /// Whether it is no measurement, but what measurements leave.
    pub const fn is_rest(self) -> bool {
        matches!(self, Self::Elsewhere | Self::FileSystem | Self::Unexplained)
    }
}

/// Where a part's bytes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Listed with `pg_ls_dir` and sized with `pg_stat_file`.
    Files,
    /// A function of the server: `pg_ls_waldir`, `pg_database_size` and their kin.
    Functions,
    /// The size of Plimsoll's own store.
    Store,
    /// The sum of another instance's parts.
    Instance,
    /// What the volume uses, less its other parts.
    Rest,
}

/// A part of a volume.
///
/// `bytes` is `None` exactly when `unknown` says why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// What it is.
    pub part: Kind,
    /// The database, instance or tablespace, where there are several of the kind.
    pub name: Option<String>,
    /// Its bytes; negative only for what is a rest.
    pub bytes: Option<i64>,
    /// When it was measured.
    #[serde(serialize_with = "crate::time::serialize")]
    pub measured_at: Option<Timestamp>,
    /// How.
    pub source: Option<Source>,
    /// Why it is not known, and which grant would show it.
    pub unknown: Option<String>,
    /// Why it may be more than `bytes`.
    pub at_least: Option<String>,
}

impl Part {
    /// A measured part.
    pub fn measured(
        part: Kind,
        name: Option<&str>,
        bytes: u64,
        source: Source,
        at: Timestamp,
    ) -> Self {
        Self {
            bytes: Some(signed(bytes)),
            measured_at: Some(at),
            source: Some(source),
            ..Self::unknown(part, name, String::new())
        }
        .known()
    }

    /// A part that could not be seen.
    pub fn unknown(part: Kind, name: Option<&str>, reason: impl Into<String>) -> Self {
        Self {
            part,
            name: name.map(str::to_owned),
            bytes: None,
            measured_at: None,
            source: None,
            unknown: Some(reason.into()),
            at_least: None,
        }
    }

    /// The same, with the reason why it may be more.
    #[must_use]
    pub fn at_least(mut self, reason: impl Into<String>) -> Self {
        self.at_least = Some(reason.into());
        self
    }

    pub(super) fn rest(part: Kind, bytes: i64, at: Timestamp) -> Self {
        Self {
            bytes: Some(bytes),
            measured_at: Some(at),
            source: Some(Source::Rest),
            ..Self::unknown(part, None, String::new())
        }
        .known()
    }

    fn known(mut self) -> Self {
        self.unknown = None;
        self
    }

    /// Whether all of it was seen.
    pub const fn is_whole(&self) -> bool {
        self.bytes.is_some() && self.at_least.is_none()
    }

    /// What identifies it among a volume's parts.
    pub fn key(&self) -> (Kind, Option<&str>) {
        (self.part, self.name.as_deref())
    }
}

/// What all parts of a kind have together; none where none of it is known.
pub(super) fn bytes_of(parts: &[Part], kind: Kind) -> Option<u64> {
    let of_kind = parts.iter().filter(|part| part.part == kind);
    of_kind
        .filter_map(|part| part.bytes)
        .map(|bytes| u64::try_from(bytes).unwrap_or(0))
        .reduce(u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_written_as_they_are_called() {
        for kind in Kind::ALL {
            let written = serde_json::to_value(kind).unwrap();
            assert_eq!(written, kind.as_str());
        }
    }
}
