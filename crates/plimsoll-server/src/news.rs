//! What there is to follow: a sample that was kept, a pulse whether it was kept or not.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::disk::state::Disk;
use plimsoll_core::sample::SampleHeader;
use plimsoll_core::snapshot::Snapshot;
use plimsoll_store::{DatabaseKey, JobState};

/// What there is to follow.
#[derive(Debug, Clone)]
pub enum News {
    /// A sample.
    Sample(NewSample),
    /// A pulse.
    Pulse(NewPulse),
}

/// A sample that was just kept.
#[derive(Debug, Clone)]
pub struct NewSample {
    /// Of which database.
    pub of: DatabaseKey,
    /// Its header.
    pub header: SampleHeader,
    /// What it was kept of.
    pub snapshot: Arc<Snapshot>,
}

/// A look at an instance's volumes.
#[derive(Debug, Clone)]
pub struct NewPulse {
    /// Of which instance.
    pub instance: Arc<str>,
    /// When.
    pub at: Timestamp,
    /// What is known of its volumes since.
    pub disk: Arc<Disk>,
    /// Why it could not be kept; none where it was.
    pub not_kept: Option<String>,
    /// When the volumes were forecast last.
    pub foreseen_at: Option<Timestamp>,
    /// The databases that are sampled,
    pub databases: Vec<SeenDatabase>,
    /// and whether these are all: before the server has told, others may be.
    pub knows_databases: bool,
    /// The time from one sample to the next; none where the schedule takes none.
    pub sampled_every: Option<SignedDuration>,
    /// The instance's cleanup job as it is kept, if it ever ran.
    pub cleanup: Option<JobState>,
    /// How the store was then.
    pub store: StoreLook,
}

/// How the store is.
#[derive(Debug, Clone, Default)]
pub struct StoreLook {
    /// Why it does not take what is measured; none where it does.
    pub refuses: Option<String>,
    /// Used and available bytes of the volume that its file lies on, where that can be seen.
    pub space: Option<(u64, u64)>,
}

/// A database that is sampled.
#[derive(Debug, Clone)]
pub struct SeenDatabase {
    /// Which.
    pub of: DatabaseKey,
    /// Whether a visit has ended since the start, well or not.
    pub has_visited: bool,
    /// Why the last visit failed, or what it saw was not kept.
    pub failure: Option<String>,
}

/// What news are of: a database, or an instance.
pub(crate) type Of = (String, Option<String>);

impl News {
    pub(crate) fn of(&self) -> Of {
        match self {
            Self::Sample(NewSample { of, .. }) => (of.instance.clone(), Some(of.database.clone())),
            Self::Pulse(pulse) => (pulse.instance.to_string(), None),
        }
    }
}
