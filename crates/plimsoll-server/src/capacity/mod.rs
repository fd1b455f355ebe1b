//! What a volume has, asked where the configuration says: a number, a command, Prometheus, a directory of this host.
//!
//! An answer holds while its source does not answer, with its age, until it is too old. What the file system under the
//! server says comes after all of these, and is not asked here.

mod command;
mod prometheus;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use plimsoll_call::Program;
use plimsoll_core::capacity::CapacitySource;
use plimsoll_core::disk::declared::{Declared, Entry};
use plimsoll_core::disk::layout::Place;
use plimsoll_core::disk::pulse::Space;
use plimsoll_core::instance::Figure;
use plimsoll_postgres::Volumes;

pub use command::Complaints;
pub use prometheus::Prometheus;

/// An answer that is older is none.
pub const TOO_OLD: SignedDuration = SignedDuration::from_mins(15);

/// How long a directory's file system may take to answer.
const PATH_LIMIT: Duration = Duration::from_secs(1);

/// A `[[capacity]]` entry.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfiguredCapacity {
    /// Of which place; none is the whole instance.
    pub place: Option<Place>,
    /// Which pool it lies on.
    pub on: Option<String>,
    /// Who is asked, one after the other until one answers.
    pub sources: Vec<Source>,
    /// The file system's type, where no source tells it: files on one that compresses take less than they have.
    pub file_system: Option<String>,
}

/// Who is asked what a volume has. None shows a secret.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// Nobody: so many bytes.
    Bytes(u64),
    /// A command.
    Command(Program),
    /// Prometheus.
    Prometheus(Prometheus),
    /// A directory of this host: who configures it vouches that it is on the server's volume.
    Path(PathBuf),
}

impl Source {
    /// What answers name it.
    pub const fn kind(&self) -> CapacitySource {
        match self {
            Self::Bytes(_) => CapacitySource::Config,
            Self::Command(_) => CapacitySource::Command,
            Self::Prometheus(_) => CapacitySource::Prometheus,
            Self::Path(_) => CapacitySource::Path,
        }
    }

    async fn ask(
        &self,
        volumes: &Volumes,
        complaints: Complaints,
        now: Timestamp,
    ) -> Result<Space, String> {
        let space = match self {
            Self::Bytes(bytes) => Ok(number(*bytes)),
            Self::Command(program) => command::ask(program, complaints).await,
            Self::Prometheus(prometheus) => prometheus.ask(now).await,
            Self::Path(path) => {
                let mut found = volumes.look(std::slice::from_ref(path), PATH_LIMIT).await;
                match found.remove(path) {
                    Some(Figure::Known(found)) => Ok(found.space),
                    Some(Figure::Absent(reason)) => Err(reason),
                    None => Err("it was not looked at".to_owned()),
                }
            }
        };
        let source = self.kind();
        space
            .map(|space| Space {
                source,
                source_at: (source != CapacitySource::Config).then_some(now),
                ..space
            })
            .map_err(|reason| format!("{}: {reason}", source.as_str()))
    }
}

/// A volume of which nothing but its capacity is known; who it is known from is added later.
const fn number(capacity_bytes: u64) -> Space {
    Space::of_capacity(capacity_bytes, CapacitySource::Config)
}

fn with_file_system(space: Figure<Space>, told: Option<&str>) -> Figure<Space> {
    match (space, told) {
        (Figure::Known(space), Some(told)) => Figure::Known(Space {
            fs_type: told.to_owned(),
            ..space
        }),
        (space, _) => space,
    }
}

/// What each source of each entry answered last, and when.
type Answers = Vec<Vec<Option<(Timestamp, Space)>>>;

/// Asks the sources of one instance, and knows what each answered last.
#[derive(Debug, Clone, Default)]
pub struct Capacities {
    entries: Arc<Vec<ConfiguredCapacity>>,
    last: Arc<Mutex<Answers>>,
    volumes: Volumes,
    complaints: Complaints,
}

impl Capacities {
    /// Of these entries; nothing was asked yet.
    pub fn new(entries: &[ConfiguredCapacity]) -> Self {
        let nothing = entries
            .iter()
            .map(|entry| vec![None; entry.sources.len()])
            .collect();
        Self {
            entries: Arc::new(entries.to_vec()),
            last: Arc::new(Mutex::new(nothing)),
            volumes: Volumes::default(),
            complaints: Complaints::Hidden,
        }
    }

    /// The same, which tells what a command complains of.
    #[must_use]
    pub fn with_complaints(mut self) -> Self {
        self.complaints = Complaints::Told;
        self
    }

    /// Asks them all at once, each within its own time.
    pub async fn ask(&self, now: Timestamp) -> Declared {
        let asked = self
            .entries
            .iter()
            .enumerate()
            .map(async |(at, entry)| Entry {
                place: entry.place.clone(),
                on: entry.on.clone(),
                space: match &*entry.sources {
                    [] => None,
                    sources => {
                        let space = self.first(at, sources, now).await;
                        Some(with_file_system(space, entry.file_system.as_deref()))
                    }
                },
            });
        Declared(futures_util::future::join_all(asked).await)
    }

    /// The first source that answers; else what one of them said not too long ago.
    async fn first(&self, entry: usize, sources: &[Source], now: Timestamp) -> Figure<Space> {
        let mut reasons = Vec::new();
        for (at, source) in sources.iter().enumerate() {
            match source.ask(&self.volumes, self.complaints, now).await {
                Ok(space) => {
                    self.last()[entry][at] = Some((now, space.clone()));
                    return Figure::Known(space);
                }
                Err(reason) => {
                    tracing::warn!(
                        source = source.kind().as_str(),
                        reason,
                        "storage.capacity.not_answered"
                    );
                    reasons.push(reason);
                }
            }
        }
        let last = self.last();
        let mut answers = last[entry].iter().flatten();
        let recent = answers.find(|(then, _)| now.duration_since(*then).abs() <= TOO_OLD);
        match recent {
            Some((_, space)) => Figure::Known(space.clone()),
            None => Figure::Absent(reasons.join("; ")),
        }
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Answers> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
