//! The rest of a server's disk. Each figure that is absent has its reason beside it.

use jiff::Timestamp;
use plimsoll_core::capacity::{Capacity, CapacitySource};
use plimsoll_core::instance::{DatabaseTotal, Figure, WalHolder};
use plimsoll_core::size_text;
use plimsoll_core::snapshot::{Server, Snapshot};
use serde::Serialize;
use utoipa::ToSchema;

use super::schema;
use super::sizes::CostAnswer;
use super::visit::{Currency, VisitErrorAnswer};

/// What a server's disk holds.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct InstanceAnswer {
    /// The configured name of the instance.
    pub instance: String,
    /// The server.
    pub server: ServerAnswer,
    /// Every database, largest first, unknown sizes last.
    pub databases: Option<Vec<DatabaseTotalAnswer>>,
    /// Why `databases` is null.
    pub databases_unknown: Option<String>,
    /// The sum of the databases whose size is known; null where none is.
    pub databases_bytes: Option<u64>,
    /// Every tablespace.
    pub tablespaces: Option<Vec<TablespaceAnswer>>,
    /// Why `tablespaces` is null.
    pub tablespaces_unknown: Option<String>,
    /// The write-ahead log.
    pub wal: WalAnswer,
    /// Bytes in temporary files of running statements.
    pub temporary_bytes: Option<u64>,
    /// Why `temporary_bytes` is null.
    pub temporary_unknown: Option<String>,
    /// Bytes of the server's own log files.
    pub log_bytes: Option<u64>,
    /// Why `log_bytes` is null.
    pub log_unknown: Option<String>,
    /// How many bytes may be used.
    pub capacity: CapacityAnswer,
    /// The database through which this was seen.
    pub seen_through: String,
    /// When the visit began.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub measured_at: Timestamp,
    /// How long it took.
    pub took_ms: u64,
    /// Whether a visit is under way that will tell more.
    pub refreshing: bool,
    /// Why the last visit failed, if it did.
    pub visit_error: Option<VisitErrorAnswer>,
    /// What it cost the server.
    pub cost: CostAnswer,
}

/// The server.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ServerAnswer {
    /// `server_version_num`, such as 150018.
    pub version: u32,
    /// Identifies the cluster. Text: it is larger than numbers in JSON are exact.
    pub system_identifier: Option<String>,
    /// Moves with each failover.
    pub timeline: Option<u32>,
    /// Whether it is a standby.
    pub in_recovery: bool,
    /// When it was started.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub started_at: Timestamp,
    /// When its statistics were last reset.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub stats_reset_at: Option<Timestamp>,
    /// Bytes of a page.
    pub block_size: u32,
}

/// A database's total.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DatabaseTotalAnswer {
    /// Its name, raw.
    pub name: String,
    /// `pg_database_size`.
    pub total_bytes: Option<u64>,
    /// `total_bytes` as `pg_size_pretty` prints it.
    pub total_human: Option<String>,
    /// Why `total_bytes` is null.
    pub total_unknown: Option<String>,
    /// Whether it takes connections.
    pub allows_connections: bool,
    /// Whether it is a template.
    pub is_template: bool,
}

/// A tablespace.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TablespaceAnswer {
    /// Its name, raw.
    pub name: String,
    /// Where it lies; empty within the data directory.
    pub location: Option<String>,
    /// Why `location` is null.
    pub location_unknown: Option<String>,
    /// `pg_tablespace_size`.
    pub size_bytes: Option<u64>,
    /// `size_bytes` as `pg_size_pretty` prints it.
    pub size_human: Option<String>,
    /// Why `size_bytes` is null.
    pub size_unknown: Option<String>,
    /// How many bytes may be used on its volume.
    pub capacity: CapacityAnswer,
}

/// How many bytes may be used.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct CapacityAnswer {
    /// Bytes that may be used in all.
    pub capacity_bytes: Option<u64>,
    /// Bytes in use on the volume by anything, where the source says so.
    pub used_bytes: Option<u64>,
    /// Bytes still free, where the source says so.
    pub available_bytes: Option<u64>,
    /// Where the number comes from.
    #[schema(schema_with = schema::capacity_source)]
    pub source: Option<CapacitySource>,
    /// When that was read; null for a number of the configuration.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub source_at: Option<Timestamp>,
    /// The directory that was looked at (`path` and `statvfs`).
    pub path: Option<String>,
    /// Why `capacity_bytes` is null.
    pub capacity_unknown: Option<String>,
}

/// The write-ahead log, and what keeps it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WalAnswer {
    /// Bytes in `pg_wal`, recycled segments included.
    pub wal_bytes: Option<u64>,
    /// Why `wal_bytes` is null.
    pub wal_unknown: Option<String>,
    /// What keeps segments from being removed, most bytes first.
    pub retained_by: Option<Vec<WalRetentionAnswer>>,
    /// Why `retained_by` is null.
    pub retained_by_unknown: Option<String>,
    /// `wal_keep_size` in bytes.
    pub keep_size_bytes: Option<u64>,
    /// Why `keep_size_bytes` is null.
    pub keep_size_unknown: Option<String>,
    /// `max_wal_size` in bytes: up to here `pg_wal` grows on its own.
    pub max_size_bytes: Option<u64>,
    /// Why `max_size_bytes` is null.
    pub max_size_unknown: Option<String>,
    /// Segments waiting to be archived.
    pub archive_pending: Option<u64>,
    /// Why `archive_pending` is null.
    pub archive_pending_unknown: Option<String>,
}

/// One holder of WAL.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WalRetentionAnswer {
    /// What kind of holder.
    #[schema(schema_with = schema::wal_holder)]
    pub holder: WalHolder,
    /// The slot's name, or the holder again.
    pub name: String,
    /// Bytes of WAL from what it keeps to the present position; null where a standby knows no position.
    pub retained_bytes: Option<u64>,
    /// Whether a consumer is connected (slots only).
    pub is_active: Option<bool>,
    /// `pg_replication_slots.wal_status` (slots only).
    pub wal_status: Option<String>,
    /// How much more can be written before the slot is lost; null when unlimited.
    pub safe_wal_bytes: Option<i64>,
}

/// What a snapshot says of a server's disk.
pub fn instance(snapshot: &Snapshot, currency: Currency) -> InstanceAnswer {
    let facts = &snapshot.facts;
    let databases = list(&facts.databases, |db| DatabaseTotalAnswer {
        name: db.name.clone(),
        total_bytes: value(&db.bytes),
        total_human: value(&db.bytes).map(size_text::pretty),
        total_unknown: reason(&db.bytes),
        allows_connections: db.allows_connections,
        is_template: db.is_template,
    });
    let tablespaces = list(&facts.tablespaces, |space| TablespaceAnswer {
        name: space.name.clone(),
        location: space.location.known().cloned(),
        location_unknown: reason(&space.location),
        size_bytes: value(&space.bytes),
        size_human: value(&space.bytes).map(size_text::pretty),
        size_unknown: reason(&space.bytes),
        capacity: seen(&space.capacity),
    });
    InstanceAnswer {
        instance: snapshot.instance.to_string(),
        server: server(&snapshot.server),
        databases_bytes: known_sum(facts.databases.each()),
        databases,
        databases_unknown: reason(&facts.databases),
        wal: wal(&facts.wal),
        temporary_bytes: value(&facts.temporary_bytes),
        temporary_unknown: reason(&facts.temporary_bytes),
        log_bytes: value(&facts.log_bytes),
        log_unknown: reason(&facts.log_bytes),
        capacity: seen(&facts.capacity),
        tablespaces,
        tablespaces_unknown: reason(&facts.tablespaces),
        seen_through: snapshot.database.to_string(),
        measured_at: snapshot.measured_at,
        took_ms: snapshot.took_ms,
        refreshing: currency.refreshing,
        visit_error: currency.visit_error,
        cost: CostAnswer::from(&snapshot.cost),
    }
}

fn value(figure: &Figure<u64>) -> Option<u64> {
    figure.known().copied()
}

fn list<T, A>(figure: &Figure<Vec<T>>, answer: impl Fn(&T) -> A) -> Option<Vec<A>> {
    Some(figure.known()?.iter().map(answer).collect())
}

/// Of nothing that is known there is no sum.
fn known_sum(databases: &[DatabaseTotal]) -> Option<u64> {
    let known = databases
        .iter()
        .filter_map(|database| database.bytes.known());
    known.copied().reduce(|sum, bytes| sum + bytes)
}

fn reason<T>(figure: &Figure<T>) -> Option<String> {
    figure.reason().map(str::to_owned)
}

fn server(server: &Server) -> ServerAnswer {
    ServerAnswer {
        version: server.version_num,
        system_identifier: server
            .system_identifier
            .map(|identifier| identifier.to_string()),
        timeline: server.timeline,
        in_recovery: server.in_recovery,
        started_at: server.started_at,
        stats_reset_at: server.stats_reset_at,
        block_size: server.block_size,
    }
}

fn wal(wal: &plimsoll_core::instance::Wal) -> WalAnswer {
    let retained_by = list(&wal.retained_by, |holder| WalRetentionAnswer {
        holder: holder.holder,
        name: holder.name.clone(),
        retained_bytes: holder.bytes,
        is_active: holder.is_active,
        wal_status: holder.wal_status.clone(),
        safe_wal_bytes: holder.safe_wal_bytes,
    });
    WalAnswer {
        wal_bytes: value(&wal.bytes),
        wal_unknown: reason(&wal.bytes),
        retained_by,
        retained_by_unknown: reason(&wal.retained_by),
        keep_size_bytes: value(&wal.keep_size_bytes),
        keep_size_unknown: reason(&wal.keep_size_bytes),
        max_size_bytes: value(&wal.max_size_bytes),
        max_size_unknown: reason(&wal.max_size_bytes),
        archive_pending: value(&wal.archive_pending),
        archive_pending_unknown: reason(&wal.archive_pending),
    }
}

fn seen(figure: &Figure<Capacity>) -> CapacityAnswer {
    match figure {
        Figure::Known(capacity) => CapacityAnswer {
            capacity_bytes: Some(capacity.capacity_bytes),
            used_bytes: capacity.used_bytes,
            available_bytes: capacity.available_bytes,
            source: Some(capacity.source),
            source_at: capacity.source_at,
            path: capacity.path.clone(),
            capacity_unknown: None,
        },
        Figure::Absent(reason) => CapacityAnswer {
            capacity_unknown: Some(reason.clone()),
            ..CapacityAnswer::default()
        },
    }
}
