//! The rows of a history as they travel between two stores: what a line of an export holds.

use jiff::Timestamp;
use plimsoll_core::change::{EventKind, Part, RelationKind};
use plimsoll_core::sample::SampleKind;
use plimsoll_core::size::Status;
use serde::{Deserialize, Serialize};

pub use crate::events::EventRow;
pub use crate::former_names::FormerRow;
pub use crate::unread::UnreadRow;

/// The format that this program writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// One row. A database's rows come in the order of the variants, and end with `End`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "row", rename_all = "snake_case")]
pub enum Row {
    /// Whose history follows.
    Database(DatabaseRow),
    /// A table or index, by its number.
    Relation(RelationRow),
    /// A sample, by its tick.
    Sample(SampleRow),
    /// A point of a table's series, by relation and tick.
    TableValue(TableValueRow),
    /// A point of an index's series, by relation and tick.
    IndexValue(IndexValueRow),
    /// A part that could not be measured for a while.
    Unread(UnreadRow),
    /// What happened that is not growth.
    Event(EventRow),
    /// Whose looks at volumes follow: what is of an instance comes after what is of its databases.
    Disk(DiskRow),
    /// A look at an instance's volumes.
    DiskLook(DiskLookRow),
    /// What is known of its volumes beside the looks.
    DiskState(DiskStateRow),
    /// Nothing of the database, or of the instance, follows.
    End(EndRow),
}

/// An instance of which looks at volumes follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskRow {
    /// The format of this row and the ones that follow.
    pub format: u32,
    /// The configured name of the instance.
    pub instance: String,
}

/// A look at an instance's volumes, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskLookRow {
    /// The look; its rows come step by step, oldest first.
    #[serde(flatten)]
    pub look: plimsoll_core::disk::kept::Row,
}

/// What is kept of an instance's last look only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskStateRow {
    /// Its name.
    pub name: String,
    /// When it was written.
    pub at: Timestamp,
    /// As it is kept. What another version kept otherwise is seen anew at the next look.
    pub state: String,
}

/// A database as its newest sample saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseRow {
    /// The format of this row and the ones that follow.
    pub format: u32,
    /// The configured name of the instance.
    pub instance: String,
    /// The database.
    pub database: String,
    /// Its OID; 0 where nobody knows it, because another tool measured.
    pub oid: u32,
    /// In digits, as JSON numbers are not exact that far.
    pub system_identifier: Option<String>,
    /// The server's timeline.
    pub timeline: Option<u32>,
    /// Whether the server was a standby.
    pub in_recovery: bool,
    /// `server_version_num`; 0 where nobody knows it.
    pub server_version_num: u32,
    /// When its statistics were last reset.
    pub stats_reset_at: Option<Timestamp>,
    /// The tick of the oldest sample.
    pub first_tick: i64,
    /// The tick of the newest sample.
    pub last_tick: i64,
    /// The number that the next relation would get.
    pub next_relation: i32,
}

/// A table or index with its last measured sizes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelationRow {
    /// Its number within the database.
    pub relation: i32,
    /// `pg_class.oid`; 0 where nobody knows it.
    pub oid: u32,
    /// The letter of its kind.
    pub kind: String,
    /// Of an index: its table.
    pub owner: Option<i32>,
    /// Empty for an index.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its key in `table_sizes`, where that is not simply the names as they are.
    pub table_key: Option<String>,
    /// The table that it is a partition of or inherits from.
    pub parent: Option<i32>,
    /// Its file.
    pub filenode: u32,
    /// Its toast table.
    pub toast_oid: Option<u32>,
    /// The toast table's file.
    pub toast_filenode: Option<u32>,
    /// The toast table's index.
    pub toast_index_oid: Option<u32>,
    /// The file of the toast table's index.
    pub toast_index_filenode: Option<u32>,
    /// The first sample that shows it.
    pub first_tick: i64,
    /// The first sample that no longer does.
    pub gone_tick: Option<i64>,
    /// Its last sizes.
    #[serde(flatten)]
    pub sizes: SizesRow,
    /// What it was called before, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<FormerRow>,
}

/// The sizes of one point; an index has `heap_bytes` only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SizesRow {
    /// The relation itself.
    pub heap_bytes: Option<i64>,
    /// Its toast table.
    pub toast_bytes: Option<i64>,
    /// Its toast table's index.
    pub toast_index_bytes: Option<i64>,
    /// Its indexes together.
    pub index_bytes: i64,
    /// Rows, as statistics said.
    pub row_count: Option<i64>,
}

/// A sample without its tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleRow {
    /// Its place in the order of samples.
    pub tick: i64,
    /// Its id, kept where it is still free.
    pub id: Option<i64>,
    /// Why it was taken.
    pub kind: SampleKind,
    /// When the visit began.
    pub sampled_at: Timestamp,
    /// The scheduled time that it stands for.
    pub scheduled_for: Option<Timestamp>,
    /// How long the visit took.
    pub took_ms: i64,
    /// How sizes were measured; `import` where another tool did, and after it what that was.
    pub method: String,
    /// When everything was last measured.
    pub full_sweep_at: Option<Timestamp>,
    /// `pg_database_size`, if it was known.
    pub total_bytes: Option<i64>,
    /// What belongs to relations.
    pub attributed_bytes: i64,
    /// What of it is estimated.
    pub estimated_bytes: i64,
    /// What belongs to none, if that was known.
    pub unattributed_bytes: Option<i64>,
    /// What could not be measured, if the total was known.
    pub unmeasured_bytes: Option<i64>,
    /// How many tables there were.
    pub table_count: i64,
    /// How many parts could not be measured.
    pub unread_count: i64,
    /// Whether the demo made it up.
    pub is_demo: bool,
}

/// A point of a table's series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableValueRow {
    /// Of which relation.
    pub relation: i32,
    /// From when on.
    pub tick: i64,
    /// The sizes.
    #[serde(flatten)]
    pub sizes: SizesRow,
}

/// A point of an index's series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexValueRow {
    /// Of which relation.
    pub relation: i32,
    /// From when on.
    pub tick: i64,
    /// Its size.
    pub bytes: i64,
}

/// How many rows there were, with `Database` and without this one: tells a file that was cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndRow {
    /// The number.
    pub rows: u64,
}

/// Ticks lie between 1970 and 2200: each week of them gets a partition.
const TICKS: std::ops::RangeInclusive<i64> = 0..=7_258_118_400;

impl Row {
    /// Whether the row can be what a store exported; else what is wrong with it.
    pub(crate) fn check(&self) -> Result<(), String> {
        match self {
            Self::Database(row) => {
                format(row.format)?;
                if row.instance.is_empty() || row.database.is_empty() {
                    return Err("instance and database need a name".to_owned());
                }
                text(&row.instance)?;
                text(&row.database)?;
                tick(row.first_tick)?;
                tick(row.last_tick)
            }
            Self::Disk(row) => {
                format(row.format)?;
                if row.instance.is_empty() {
                    return Err("an instance needs a name".to_owned());
                }
                text(&row.instance)
            }
            Self::DiskLook(row) => {
                tick(row.look.tick)?;
                text(&row.look.look)
            }
            Self::DiskState(row) => {
                text(&row.name)?;
                text(&row.state)
            }
            Self::Relation(row) => row.check(),
            Self::Sample(row) => {
                tick(row.tick)?;
                let bytes = [
                    row.took_ms,
                    row.total_bytes.unwrap_or(0),
                    row.unattributed_bytes.unwrap_or(0),
                    row.unmeasured_bytes.unwrap_or(0),
                    row.attributed_bytes,
                    row.estimated_bytes,
                    row.table_count,
                    row.unread_count,
                ];
                text(&row.method)?;
                bytes.into_iter().try_for_each(not_negative)
            }
            Self::TableValue(row) => {
                tick(row.tick)?;
                row.sizes.check()
            }
            Self::IndexValue(row) => {
                tick(row.tick)?;
                not_negative(row.bytes)
            }
            Self::Unread(row) => {
                tick(row.from_tick)?;
                if Part::from_letter(&row.part).is_none() {
                    return Err(format!("there is no part `{}`", row.part));
                }
                if Status::from_name(&row.status).is_none() {
                    return Err(format!("there is no status `{}`", row.status));
                }
                Ok(())
            }
            Self::Event(row) => {
                tick(row.tick)?;
                text(row.detail.as_deref().unwrap_or_default())?;
                row.kind
                    .parse::<EventKind>()
                    .map(drop)
                    .map_err(|_| format!("there is no event `{}`", row.kind))
            }
            Self::End(_) => Ok(()),
        }
    }
}

/// What the method of a sample begins with that another tool measured.
pub(crate) const IMPORT: &str = "import";
/// The method of what PgHero measured.
pub(crate) const PGHERO: &str = "import pghero";

impl RelationRow {
    fn check(&self) -> Result<(), String> {
        if RelationKind::from_letter(&self.kind).is_none() {
            return Err(format!("there is no kind of relation `{}`", self.kind));
        }
        if self.is_index() != self.owner.is_some() {
            return Err("an index, and nothing else, has an owner".to_owned());
        }
        if self.relation < 1 {
            return Err(format!("{} is no number of a relation", self.relation));
        }
        tick(self.first_tick)?;
        self.gone_tick.map_or(Ok(()), tick)?;
        for name in [&self.schema, &self.name] {
            text(name)?;
        }
        for former in &self.former {
            tick(former.until_tick)?;
            text(&former.schema)?;
            text(&former.name)?;
        }
        self.sizes.check()
    }

    pub(crate) fn is_index(&self) -> bool {
        self.kind == RelationKind::Index.letter()
    }
}

impl SizesRow {
    fn check(&self) -> Result<(), String> {
        [
            self.heap_bytes,
            self.toast_bytes,
            self.toast_index_bytes,
            self.row_count,
            Some(self.index_bytes),
        ]
        .into_iter()
        .flatten()
        .try_for_each(not_negative)
    }
}

fn format(format: u32) -> Result<(), String> {
    if format <= FORMAT {
        return Ok(());
    }
    Err(format!(
        "it has format {format}, and this program reads formats up to {FORMAT}: use a newer plimsoll"
    ))
}

fn tick(tick: i64) -> Result<(), String> {
    if TICKS.contains(&tick) {
        return Ok(());
    }
    Err(format!(
        "{tick} is no tick: seconds since 1970, before 2200"
    ))
}

fn not_negative(number: i64) -> Result<(), String> {
    if number >= 0 {
        return Ok(());
    }
    Err(format!("{number} is below zero"))
}

/// PostgreSQL has no name with a NUL in it, and stores none.
fn text(text: &str) -> Result<(), String> {
    if text.contains('\0') {
        return Err("there is a NUL byte in a text".to_owned());
    }
    Ok(())
}
