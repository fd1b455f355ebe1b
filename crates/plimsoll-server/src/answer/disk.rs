//! An instance's volumes: how full, by what, how fast, since when, when full, what would help.

mod series;
mod wal;

use jiff::Timestamp;
use plimsoll_core::disk::capacities::Resize;
use plimsoll_core::disk::help::Help;
use plimsoll_core::disk::state::{Dates, Disk, FullOn, PaceNow, PartChange, Volume};
use plimsoll_core::disk::why::Cause;
use plimsoll_store::{Store, StoreError};
use serde::Serialize;
use utoipa::ToSchema;

use super::schema;
use crate::ask::DiskQuery;
use crate::disk::InstanceDisk;
use crate::watch::WatchedInstance;

pub use series::{PartSeries, VolumeSeries};
pub use wal::{RetainedAnswer, WalNowAnswer};

/// An instance's volumes.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DiskAnswer {
    /// The configured name of the instance.
    pub instance: String,
    /// When its volumes were looked at last; null where they never were.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub measured_at: Option<Timestamp>,
    /// When databases' totals and the rest of the data directory were read last.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub full_look_at: Option<Timestamp>,
    /// Why the server did not answer the last look; the volumes were looked at all the same.
    pub unreachable: Option<String>,
    /// When the server answered last.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub answered_at: Option<Timestamp>,
    /// What the configuration says of volumes that cannot be, or what its sources do not answer: none of it is believed.
    pub problems: Vec<String>,
    /// Every volume, the one that is full first before the others.
    pub volumes: Vec<VolumeAnswer>,
    /// What is written, and what holds it.
    pub wal: WalNowAnswer,
}

/// A volume.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct VolumeAnswer {
    /// Its mount point; null where it was not seen.
    pub name: Option<String>,
    /// What free space it has a share of.
    pub pool: String,
    /// Whether something lies on it by guess only.
    pub assumed: bool,
    /// The mount point, for now; a path that was configured goes before it.
    pub path: Option<String>,
    /// What of the instance lies on it: `data`, `wal`, `log`, `tablespace:NAME`.
    pub places: Vec<String>,
    /// Bytes in all.
    pub capacity_bytes: Option<u64>,
    /// Bytes in use by anything; the parts add up to them.
    pub used_bytes: Option<u64>,
    /// Bytes of the parts that are known.
    pub known_bytes: i64,
    /// Bytes that an ordinary process may still use.
    pub available_bytes: Option<u64>,
    /// Inodes in all; null where they are not counted.
    pub inodes_total: Option<u64>,
    /// Inodes that are left.
    pub inodes_available: Option<u64>,
    /// Why its dates are later than the truth: only a number is known of it, and not what else lies there.
    pub late: Option<String>,
    /// Where capacity and use come from.
    #[schema(schema_with = schema::volume_source)]
    pub source: Option<String>,
    /// When that was read.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub source_at: Option<Timestamp>,
    /// Why it is not known.
    pub unknown: Option<String>,
    /// When its capacity became another, as far as that is still known.
    pub resizes: Vec<ResizeAnswer>,
    /// Its parts.
    pub parts: Vec<VolumePart>,
    /// Since when `change_bytes` and `why` count.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub since: Option<Timestamp>,
    /// How fast it fills at present.
    pub pace: Option<PaceAnswer>,
    /// Why there is no pace.
    pub pace_unknown: Option<String>,
    /// When it is full.
    pub full: FullAnswer,
    /// What it gained, by part, most first.
    pub why: Vec<CauseAnswer>,
    /// What would help, most bytes first. Nothing of it is done.
    pub help: Vec<HelpAnswer>,
    /// How it went; only with `step`.
    pub series: Option<VolumeSeries>,
}

/// A share of a volume's used bytes.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct VolumePart {
    /// What it is.
    #[schema(schema_with = schema::disk_part)]
    pub part: plimsoll_core::disk::part::Kind,
    /// The database, instance or tablespace, where there are several of the kind.
    pub name: Option<String>,
    /// Its bytes; negative only for what is a rest. Null where `unknown` says why.
    pub bytes: Option<i64>,
    /// What it gained since `since`.
    pub change_bytes: Option<i64>,
    /// When it was measured.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub measured_at: Option<Timestamp>,
    /// How.
    #[schema(schema_with = schema::part_source)]
    pub source: Option<plimsoll_core::disk::part::Source>,
    /// Why it is not known, and which grant would show it.
    pub unknown: Option<String>,
    /// Why it may be more than `bytes`.
    pub at_least: Option<String>,
}

/// How fast a volume fills at present.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PaceAnswer {
    /// Bytes an hour; negative where it empties.
    pub bytes_per_hour: f64,
    /// The window that it is the pace of, in seconds.
    pub window_seconds: i64,
    /// When it began, if it stands out from what is usual.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub since: Option<Timestamp>,
    /// Whether there was less than a day to tell what is usual.
    pub is_young: bool,
}

/// When a volume is full, by both clocks.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FullAnswer {
    /// At the present pace; null where there is none.
    pub at_pace: Option<DatesAnswer>,
    /// By what the history says; null where there is no forecast.
    pub forecast: Option<DatesAnswer>,
    /// Why `forecast` is null.
    pub forecast_unknown: Option<String>,
}

/// Early, best guess, late; null is "not within a year".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct DatesAnswer {
    /// Nine times in ten not before this.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub low: Option<Timestamp>,
    /// The best guess.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub mid: Option<Timestamp>,
    /// Nine times in ten before this.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub high: Option<Timestamp>,
}

/// One part's share of a change.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CauseAnswer {
    /// The part.
    #[schema(schema_with = schema::disk_part)]
    pub part: plimsoll_core::disk::part::Kind,
    /// Which of its kind.
    pub name: Option<String>,
    /// What it gained; 0 where only the sight of it changed.
    pub change_bytes: i64,
    /// Since when.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub since: Timestamp,
    /// Who holds it, which tables grew; or that the sight of it changed.
    pub text: String,
}

/// A volume's capacity became another.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ResizeAnswer {
    /// Not before this: the look that did not show it yet.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub from: Timestamp,
    /// When that was first seen.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub at: Timestamp,
    /// Bytes in all before,
    pub before_bytes: u64,
    /// and since.
    pub after_bytes: u64,
}

impl From<&Resize> for ResizeAnswer {
    fn from(resize: &Resize) -> Self {
        Self {
            from: resize.from,
            at: resize.at,
            before_bytes: resize.before_bytes,
            after_bytes: resize.after_bytes,
        }
    }
}

/// Something that would help.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HelpAnswer {
    /// What to do.
    pub text: String,
    /// How; null where that is not a matter of one command.
    pub command: Option<String>,
    /// What that frees.
    pub frees_bytes: Option<u64>,
    /// What is lost by it; null is nothing.
    pub loses: Option<String>,
}

/// What is kept of an instance's volumes.
///
/// # Errors
/// When the store cannot be read.
pub async fn disk(
    instance: &WatchedInstance,
    store: &dyn Store,
    query: &DiskQuery,
    now: Timestamp,
) -> Result<DiskAnswer, StoreError> {
    let name = &*instance.settings.instance;
    let known = instance.disk().known(store, query.since, now).await?;
    let mut answer = answer(name, &known);
    add_series(&mut answer, instance.disk(), store, query, now).await?;
    Ok(answer)
}

/// Adds the series, where they are asked for.
///
/// # Errors
/// When the store cannot be read.
pub async fn add_series(
    answer: &mut DiskAnswer,
    disk: &InstanceDisk,
    store: &dyn Store,
    query: &DiskQuery,
    now: Timestamp,
) -> Result<(), StoreError> {
    if let Some(step) = query.step {
        let looks = disk.looks(store, step, now).await?;
        for volume in &mut answer.volumes {
            volume.series = Some(series::series(&looks, &volume.pool));
        }
    }
    Ok(())
}

/// A state as it is answered and printed.
pub fn answer(instance: &str, disk: &Disk) -> DiskAnswer {
    DiskAnswer {
        instance: instance.to_owned(),
        measured_at: disk.measured_at,
        full_look_at: disk.full_look_at,
        unreachable: disk.unreachable.clone(),
        answered_at: disk.answered_at,
        problems: disk.problems.clone(),
        volumes: disk.volumes.iter().map(volume).collect(),
        wal: wal::answer(&disk.wal),
    }
}

fn volume(volume: &Volume) -> VolumeAnswer {
    VolumeAnswer {
        name: volume.name.clone(),
        pool: volume.pool.clone(),
        assumed: volume.assumed,
        path: volume.name.clone(),
        places: volume.places.clone(),
        capacity_bytes: volume.capacity_bytes,
        used_bytes: volume.used_bytes,
        known_bytes: volume.known_bytes,
        available_bytes: volume.available_bytes,
        inodes_total: volume.inodes_total,
        inodes_available: volume.inodes_available,
        late: volume.late.clone(),
        source: volume.source.map(str::to_owned),
        source_at: volume.source_at,
        unknown: volume.unknown.clone(),
        resizes: volume.resizes.iter().map(ResizeAnswer::from).collect(),
        parts: volume.parts.iter().map(VolumePart::from).collect(),
        since: volume.since,
        pace: volume.pace.as_ref().map(PaceAnswer::from),
        pace_unknown: volume.pace_unknown.clone(),
        full: FullAnswer::from(&volume.full),
        why: volume.why.iter().map(CauseAnswer::from).collect(),
        help: volume.help.iter().map(HelpAnswer::from).collect(),
        series: None,
    }
}

impl From<&PartChange> for VolumePart {
    fn from(changed: &PartChange) -> Self {
        let part = changed.part.clone();
        Self {
            part: part.part,
            name: part.name,
            bytes: part.bytes,
            change_bytes: changed.change_bytes,
            measured_at: part.measured_at,
            source: part.source,
            unknown: part.unknown,
            at_least: part.at_least,
        }
    }
}

impl From<&PaceNow> for PaceAnswer {
    fn from(pace: &PaceNow) -> Self {
        Self {
            bytes_per_hour: pace.bytes_per_hour,
            window_seconds: pace.window_seconds,
            since: pace.since,
            is_young: pace.is_young,
        }
    }
}

impl From<&FullOn> for FullAnswer {
    fn from(full: &FullOn) -> Self {
        let dates = |dates: Dates| DatesAnswer {
            low: dates.low,
            mid: dates.mid,
            high: dates.high,
        };
        Self {
            at_pace: full.at_pace.map(dates),
            forecast: full.forecast.map(dates),
            forecast_unknown: full.forecast_unknown.clone(),
        }
    }
}

impl From<&Cause> for CauseAnswer {
    fn from(cause: &Cause) -> Self {
        let cause = cause.clone();
        Self {
            part: cause.part,
            name: cause.name,
            change_bytes: cause.change_bytes,
            since: cause.since,
            text: cause.text,
        }
    }
}

impl From<&Help> for HelpAnswer {
    fn from(help: &Help) -> Self {
        let help = help.clone();
        Self {
            text: help.text,
            command: help.command,
            frees_bytes: help.frees_bytes,
            loses: help.loses,
        }
    }
}
