//! Jobs and cleanup runs: what ran when, and what became of it.

use jiff::Timestamp;

use crate::DatabaseKey;

/// The last run of a job, and the one under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobState {
    /// The job's name.
    pub name: String,
    /// When its last run began.
    pub last_started_at: Option<Timestamp>,
    /// When its last run ended; null while one is running.
    pub last_finished_at: Option<Timestamp>,
    /// `ok`, `failed` or `skipped`.
    pub last_outcome: Option<String>,
    /// What it did, or why it failed.
    pub last_message: Option<String>,
    /// The scheduled time that was last begun: what tells whether one was missed.
    pub last_scheduled_for: Option<Timestamp>,
}

/// A cleanup run, as `cleanup_runs` keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CleanupRun {
    /// Unique within the store.
    pub id: i64,
    /// Of which database.
    pub of: DatabaseKey,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; null while it is under way.
    pub finished_at: Option<Timestamp>,
    /// `running`, `ok`, `failed` or `cancelled`.
    pub outcome: String,
    /// Rows deleted, by table key.
    pub rows_deleted: Vec<(String, u64)>,
    /// What failed.
    pub error: Option<String>,
}

/// Rows by table, as the column `cleanup_runs.rows_deleted` keeps them: a JSON object.
pub(crate) fn rows_from_json(text: &str) -> Vec<(String, u64)> {
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(text).unwrap_or_default();
    object
        .into_iter()
        .filter_map(|(table, rows)| Some((table, rows.as_u64()?)))
        .collect()
}
