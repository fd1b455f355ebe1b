//! Samples: what to keep of a snapshot, and which samples to read.

use jiff::Timestamp;
use plimsoll_core::change::{
    Changes, FormerIdentity, KnownDatabase, KnownRelation, KnownToast, RelationKind, Sizes,
};
use plimsoll_core::name::table_key;
use plimsoll_core::sample::{SampleHeader, SampleKind};
use plimsoll_core::snapshot::Snapshot;

use crate::DatabaseKey;

/// How a snapshot is to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recording {
    /// Why it was taken.
    pub kind: SampleKind,
    /// The scheduled time that it stands for: at most one sample exists for (database, kind, this).
    pub scheduled_for: Option<Timestamp>,
    /// Whether the data is made up.
    pub is_demo: bool,
}

/// What was made of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// It is kept under this header.
    New(SampleHeader),
    /// Another process already took this scheduled sample; this is that one.
    Already(SampleHeader),
}

impl Recorded {
    /// The sample that stands for the snapshot.
    pub const fn header(&self) -> &SampleHeader {
        match self {
            Self::New(header) | Self::Already(header) => header,
        }
    }
}

/// Which samples to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleQuery {
    /// Of which database.
    pub of: DatabaseKey,
    /// Of which kinds; empty means all.
    pub kinds: Vec<SampleKind>,
    /// Not older than this.
    pub since: Option<Timestamp>,
    /// The last one of each hour or day only.
    pub step: Step,
    /// At most so many, newest first.
    pub limit: usize,
}

impl SampleQuery {
    /// The newest sample of a database, of any kind.
    pub const fn newest(of: DatabaseKey) -> Self {
        Self {
            of,
            kinds: Vec::new(),
            since: None,
            step: Step::All,
            limit: 1,
        }
    }
}

/// How dense a history is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Step {
    /// Every sample.
    #[default]
    All,
    /// The last one of each hour (UTC).
    Hour,
    /// The last one of each day (UTC).
    Day,
}

impl Step {
    /// Its length in milliseconds; 1 for every sample, none of which share a millisecond.
    pub(crate) const fn millis(self) -> i64 {
        match self {
            Self::All => 1,
            Self::Hour => 3_600_000,
            Self::Day => 86_400_000,
        }
    }
}

/// Samples, newest first, and how many match without the limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SamplePage {
    /// The samples.
    pub samples: Vec<SampleHeader>,
    /// How many there are in all.
    pub total: u64,
}

/// What a store knows of a database at the moment it looks.
#[derive(Debug, Default)]
pub(crate) struct Before {
    /// The newest sample's tick.
    pub(crate) last_tick: Option<i64>,
    /// What to compare a snapshot with,
    pub(crate) known: KnownDatabase,
    /// and whether it is that part only which a [`Guess`](crate::last_samples::Guess) asked for.
    pub(crate) is_part: bool,
    /// The sample that already stands for the scheduled time.
    pub(crate) already: Option<SampleHeader>,
}

/// A snapshot without its tables: what a store writes once a sample.
#[derive(Debug, Clone)]
pub(crate) struct SampleRow {
    pub(crate) instance: String,
    pub(crate) database: String,
    pub(crate) database_oid: u32,
    pub(crate) system_identifier: Option<u64>,
    pub(crate) timeline: Option<u32>,
    pub(crate) in_recovery: bool,
    pub(crate) server_version_num: u32,
    pub(crate) stats_reset_at: Option<i64>,
    pub(crate) recording: Recording,
    pub(crate) sampled_at: i64,
    pub(crate) took_ms: u64,
    pub(crate) method: &'static str,
    pub(crate) full_sweep_at: Option<i64>,
    pub(crate) totals: plimsoll_core::snapshot::Totals,
}

impl SampleRow {
    pub(crate) fn new(snapshot: &Snapshot, recording: Recording) -> Self {
        Self {
            instance: snapshot.instance.to_string(),
            database: snapshot.database.to_string(),
            database_oid: snapshot.database_oid,
            system_identifier: snapshot.server.system_identifier,
            timeline: snapshot.server.timeline,
            in_recovery: snapshot.server.in_recovery,
            server_version_num: snapshot.server.version_num,
            stats_reset_at: snapshot.server.stats_reset_at.map(millis),
            recording,
            sampled_at: millis(snapshot.measured_at),
            took_ms: snapshot.took_ms,
            method: snapshot.method.as_str(),
            full_sweep_at: snapshot.full_sweep_at.map(millis),
            totals: snapshot.totals,
        }
    }

    /// Its place in the order of samples: seconds, made to grow where the clock did not.
    pub(crate) fn tick(&self, last_tick: Option<i64>) -> i64 {
        let second = self.sampled_at.div_euclid(1000);
        last_tick.map_or(second, |last| second.max(last + 1))
    }

    pub(crate) fn major(&self) -> u32 {
        self.server_version_num / 10_000
    }

    pub(crate) fn header(&self, id: i64, changes: &Changes) -> SampleHeader {
        SampleHeader {
            id,
            instance: self.instance.clone(),
            database: self.database.clone(),
            sampled_at: from_millis(self.sampled_at),
            kind: self.recording.kind,
            total_bytes: self.totals.total_bytes,
            table_count: Some(changes.table_count),
            is_demo: self.recording.is_demo,
            is_imported: false,
            unread_count: changes.unread_count,
        }
    }
}

/// Milliseconds since 1970: what both stores keep, so that a sample moves between them unchanged.
pub(crate) fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// The time of a number of milliseconds; the nearest that can be written where there is none.
pub(crate) fn from_millis(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(if millis < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

/// The key of a table in `table_sizes`, where it is not simply the names as they are.
pub(crate) fn odd_key(kind: RelationKind, schema: &str, name: &str, major: u32) -> Option<String> {
    if kind == RelationKind::Index {
        return None;
    }
    let key = table_key(schema, name, major);
    let is_plain = if schema == "public" {
        key == name
    } else {
        key.len() == schema.len() + name.len() + 1
    };
    (!is_plain).then_some(key)
}

/// Bytes as both stores keep them.
pub(crate) use plimsoll_core::size::signed;

/// Bytes as a store kept them.
pub(crate) fn unsigned(bytes: i64) -> u64 {
    u64::try_from(bytes).unwrap_or(0)
}

/// How many tables a sample names; of one that another tool told the total of alone nobody knows.
pub(crate) fn table_count(count: i64, is_imported: bool) -> Option<u64> {
    (count != 0 || !is_imported).then(|| unsigned(count))
}

/// The columns of `relations` that both stores write alike.
pub(crate) struct RelationRow<'a> {
    pub(crate) known: &'a KnownRelation,
    pub(crate) table_key: Option<String>,
}

impl<'a> RelationRow<'a> {
    pub(crate) fn new(known: &'a KnownRelation, major: u32) -> Self {
        Self {
            known,
            table_key: odd_key(known.kind, &known.schema_name, &known.relation_name, major),
        }
    }

    pub(crate) fn toast(&self) -> [Option<u32>; 4] {
        match self.known.toast {
            Some(KnownToast {
                oid,
                filenode,
                index_oid,
                index_filenode,
            }) => [
                Some(oid),
                Some(filenode),
                Some(index_oid),
                Some(index_filenode),
            ],
            None => [None; 4],
        }
    }
}

/// The key that a table had, where it is not simply the names as they were.
pub(crate) fn former_key(former: &FormerIdentity, major: u32) -> Option<String> {
    if former.schema_name.is_empty() {
        return None;
    }
    odd_key(
        RelationKind::Table(plimsoll_core::snapshot::TableKind::Table),
        &former.schema_name,
        &former.relation_name,
        major,
    )
}

/// The numbers of one point, as both stores write them.
pub(crate) fn columns(sizes: &Sizes) -> (Option<i64>, Option<i64>, Option<i64>, i64, Option<i64>) {
    (
        sizes.heap_bytes.map(signed),
        sizes.toast_bytes.map(signed),
        sizes.toast_index_bytes.map(signed),
        signed(sizes.index_bytes),
        sizes.row_count.map(signed),
    )
}

/// How many values a sample adds.
pub(crate) fn value_count(changes: &Changes) -> u64 {
    (changes.table_points.len() + changes.index_points.len()) as u64
}
