//! What the rules about a database's sizes are evaluated on, from what is known at one of its samples.

use jiff::Timestamp;
use plimsoll_core::alert::AlertType;
use plimsoll_core::alert::evaluate::Facts;
use plimsoll_core::alert::facts::{recent_rate, series_reaches};
use plimsoll_core::alert::rules::abnormal::History;
use plimsoll_core::alert::rules::growth::{Past, Total};
use plimsoll_core::alert::rules::size::SizeNow;
use plimsoll_core::alert::rules::stray::Files;
use plimsoll_core::alert::rules::time::Reaches;
use plimsoll_core::events::Shape;
use plimsoll_core::forecast::{KnownChange, Point};
use plimsoll_core::outlook::Outlook;
use plimsoll_store::SampleParts;

/// A sample and what is known beside it: what the facts are made from.
pub(super) struct SampleContext<'a> {
    /// When it was taken.
    pub(super) now: Timestamp,
    /// It and those of the 36 days before it, oldest first; without it where its total is not known.
    pub(super) parts: &'a [SampleParts],
    /// Samples before this are another database's, or another tool's.
    pub(super) begins_at: Option<Timestamp>,
    /// Tables and indexes that were emptied or written anew.
    pub(super) given_back: &'a [KnownChange],
    /// Whether a table is rewritten or an index built.
    pub(super) is_rewriting: bool,
    /// Bytes of indexes that are being built, or that a failed build left.
    pub(super) invalid_index_bytes: u64,
    /// Its files that no relation owns, where the method sees files.
    pub(super) files: Option<&'a Files>,
    /// Whether it is a daily sample.
    pub(super) is_daily: bool,
    /// Its own limit.
    pub(super) limit_bytes: Option<u64>,
    /// Whether the capacity of what it lies on is known.
    pub(super) has_capacity: bool,
    /// Its forecast, up to its own limit where it has one; none where the history has no series of it.
    pub(super) outlook: Option<&'a Outlook>,
    /// The series that this is of.
    pub(super) points: &'a [Point],
}

/// What the rules are evaluated on.
pub(super) struct DatabaseFacts<'a> {
    totals: Vec<Total>,
    begins_at: Option<Timestamp>,
    given_back: &'a [KnownChange],
    is_rewriting: bool,
    size: SizeNow,
    /// When its own limit is reached; none where it has none, since its volume's is the volume's alert.
    reaches: Option<Result<Reaches, String>>,
    shapes: &'a [Shape],
    recent_rate: Option<f64>,
    unattributed_bytes: Option<u64>,
    files: Option<&'a Files>,
    is_daily: bool,
}

impl<'a> DatabaseFacts<'a> {
    pub(super) fn of(known: &SampleContext<'a>) -> Self {
        let current = known
            .parts
            .last()
            .filter(|parts| parts.sampled_at == known.now);
        let mut totals: Vec<Total> = match current {
            Some(_) => known.parts.iter().map(total).collect(),
            None => Vec::new(),
        };
        if let Some(last) = totals.last_mut() {
            last.invalid_index_bytes = known.invalid_index_bytes;
        }
        Self {
            totals,
            begins_at: known.begins_at,
            given_back: known.given_back,
            is_rewriting: known.is_rewriting,
            size: SizeNow {
                total_bytes: current.map(|parts| parts.total_bytes),
                uncertain_bytes: current.map_or(0, |parts| parts.uncertain_bytes),
                limit_bytes: known.limit_bytes,
                has_capacity: known.has_capacity,
            },
            reaches: known.limit_bytes.map(|_| series_reaches(known.outlook)),
            shapes: known
                .outlook
                .map_or(&[][..], |outlook| outlook.events.as_slice()),
            recent_rate: recent_rate(known.points),
            unattributed_bytes: current.and_then(|parts| parts.unattributed_bytes),
            files: known.files,
            is_daily: known.is_daily,
        }
    }

    /// When the sample was taken that growth is counted from.
    pub(super) fn growth_from(&self) -> Option<Timestamp> {
        self.past().base_at()
    }

    fn past(&self) -> Past<'_> {
        Past {
            totals: &self.totals,
            begins_at: self.begins_at,
            given_back: self.given_back,
            is_rewriting: self.is_rewriting,
        }
    }

    /// The facts of each rule that judges databases by a sample alone.
    pub(super) fn of_sample(&self) -> [(AlertType, Facts<'_>); 4] {
        [
            (AlertType::GrowthWarning, Facts::Past(self.past())),
            (AlertType::SizeCritical, Facts::Size(self.size)),
            (
                AlertType::OrphanedFiles,
                Facts::Files(self.files, self.is_daily),
            ),
            (
                AlertType::UnattributedGrowth,
                Facts::Unattributed(self.unattributed_bytes),
            ),
        ]
    }

    /// The facts of each that judges them by a forecast.
    pub(super) fn of_forecast(&self) -> Vec<(AlertType, Facts<'_>)> {
        let mut all = vec![(
            AlertType::AbnormalGrowth,
            Facts::History(History {
                shapes: self.shapes,
                recent_rate: self.recent_rate,
                past: self.past(),
            }),
        )];
        all.extend(self.reaches.as_ref().map(|reaches| {
            let reaches = reaches.as_ref().copied().map_err(String::as_str);
            (AlertType::TimeToFull, Facts::Reaches(reaches))
        }));
        all
    }
}

fn total(parts: &SampleParts) -> Total {
    Total {
        at: parts.sampled_at,
        bytes: parts.total_bytes,
        uncertain_bytes: parts.uncertain_bytes,
        // Where it cannot be told, those bytes are among the uncertain ones.
        unattributed_bytes: parts.unattributed_bytes.unwrap_or(0),
        invalid_index_bytes: 0,
    }
}
