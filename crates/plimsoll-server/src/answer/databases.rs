//! What is watched, and how each database's last visit went.

use jiff::Timestamp;
use plimsoll_core::size_text;
use plimsoll_core::snapshot::Method;
use serde::Serialize;
use utoipa::ToSchema;

use super::schema;
use crate::watch::{Watch, WatchedDatabase};

/// What is watched.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DatabasesAnswer {
    /// By instance and name.
    pub databases: Vec<DatabaseAnswer>,
    /// How many there are.
    pub count: u64,
}

/// One watched database. What only a visit can tell is null until the first one has ended.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DatabaseAnswer {
    /// The configured name of the instance.
    pub instance: String,
    /// The database.
    pub database: String,
    /// `host:port` or the socket's path.
    pub server: String,
    /// `server_version_num`, such as 150018.
    pub server_version: Option<u32>,
    /// Whether the server is a standby.
    pub in_recovery: Option<bool>,
    /// Identifies the cluster, also across failover. Text: it is larger than numbers in JSON are exact.
    pub system_identifier: Option<String>,
    /// `pg_database_size`, when it was last visited; null also where that could not be known.
    pub total_bytes: Option<u64>,
    /// `total_bytes` as `pg_size_pretty` prints it.
    pub total_human: Option<String>,
    /// How many tables it has.
    pub tables_total: Option<u64>,
    /// How its sizes were read.
    #[schema(schema_with = schema::method_or_null)]
    pub method: Option<Method>,
    /// When the last successful visit began.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub measured_at: Option<Timestamp>,
    /// How long it took.
    pub took_ms: Option<u64>,
    /// Since when a visit is under way.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub visit_began_at: Option<Timestamp>,
    /// When the last visit failed, if it did.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub failed_at: Option<Timestamp>,
    /// The stable code of that failure.
    pub error_code: Option<String>,
    /// What failed, and what to do.
    pub error: Option<String>,
}

/// What is watched.
pub fn databases(watch: &Watch) -> DatabasesAnswer {
    let databases: Vec<_> = watch.databases().iter().map(|db| database(db)).collect();
    DatabasesAnswer {
        count: databases.len() as u64,
        databases,
    }
}

fn database(db: &WatchedDatabase) -> DatabaseAnswer {
    let latest = db.latest();
    let snapshot = latest.as_deref();
    let failure = db.failure();
    let total_bytes = snapshot.and_then(|s| s.totals.total_bytes);
    DatabaseAnswer {
        instance: db.key().instance.clone(),
        database: db.key().database.clone(),
        server: db.host_text(),
        server_version: snapshot.map(|s| s.server.version_num),
        in_recovery: snapshot.map(|s| s.server.in_recovery),
        system_identifier: snapshot
            .and_then(|s| s.server.system_identifier)
            .map(|identifier| identifier.to_string()),
        total_bytes,
        total_human: total_bytes.map(size_text::pretty),
        tables_total: snapshot
            .map(|s| s.tables.iter().filter(|t| t.kind.in_table_sizes()).count() as u64),
        method: snapshot.map(|s| s.method),
        measured_at: snapshot.map(|s| s.measured_at),
        took_ms: snapshot.map(|s| s.took_ms),
        visit_began_at: db.visit_began_at(),
        failed_at: failure.as_ref().map(|failure| failure.failed_at),
        error_code: failure
            .as_ref()
            .map(|failure| failure.error.code().to_owned()),
        error: failure.map(|failure| failure.error.to_string()),
    }
}
