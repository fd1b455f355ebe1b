//! The scheduled jobs: when each runs next, and how it went last.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::schema;

/// The scheduled jobs.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct JobsAnswer {
    /// In the order of the day.
    pub jobs: Vec<JobAnswer>,
    /// How many there are.
    pub count: u64,
}

/// One job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct JobAnswer {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: String,
    /// Its cron expression, in UTC.
    pub schedule: String,
    /// When it runs next, jitter left aside.
    pub next_run_at: Option<Timestamp>,
    /// Whether it runs now.
    pub is_running: bool,
    /// When its last run began.
    pub last_started_at: Option<Timestamp>,
    /// When its last run ended; null while one is under way.
    pub last_finished_at: Option<Timestamp>,
    /// How long its last run took.
    pub last_took_ms: Option<u64>,
    /// How its last run ended.
    #[schema(schema_with = schema::job_outcome)]
    pub last_outcome: Option<String>,
    /// What it did, or why it failed.
    pub last_message: Option<String>,
    /// The scheduled time that was last begun.
    pub last_scheduled_for: Option<Timestamp>,
}
