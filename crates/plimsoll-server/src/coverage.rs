//! Where what a history measures changed: another tool took its samples, or they cover other tables.
//!
//! Sizes on the two sides do not compare: what lies between them is never growth.

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::change::{Event, EventKind, Sizes};
use plimsoll_store::{
    DatabaseKey, Difference, DifferenceQuery, EventQuery, Growth, NamedEvent, Store, StoreError,
};

/// Where one measure ends, and another begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seam {
    /// The last sample before it.
    pub from: Timestamp,
    /// The first sample after it, to the second.
    pub to: Timestamp,
}

impl Seam {
    /// The seam that an event tells of, if it does.
    pub fn of(event: &NamedEvent) -> Option<Self> {
        let Event {
            kind,
            relation,
            from,
            to,
            ..
        } = event.event;
        (kind == EventKind::Coverage && relation.is_none()).then_some(Self { from, to })
    }

    /// Any time from the first sample after it on, and before the next second.
    fn after(self) -> Timestamp {
        let second = SignedDuration::from_secs(1);
        self.to.checked_add(second).unwrap_or(self.to)
    }

    /// Whether it lies between two samples.
    pub fn is_between(self, from: Timestamp, to: Timestamp) -> bool {
        // to the second, which is what a seam may be known to
        self.to.as_second() > from.as_second() && self.to.as_second() <= to.as_second()
    }
}

/// The seams of a database's history since a time, oldest first.
pub async fn seams(
    store: &dyn Store,
    of: &DatabaseKey,
    since: Option<Timestamp>,
) -> Result<Vec<Seam>, StoreError> {
    let query = EventQuery {
        table: None,
        kinds: vec![EventKind::Coverage],
        since,
        limit: None,
    };
    let events = store.events(of, &query).await?;
    let mut seams: Vec<Seam> = events.iter().filter_map(Seam::of).collect();
    seams.sort_by_key(|seam| seam.to);
    Ok(seams)
}

/// The newest difference between two samples of one measure; `seams` lie between those that are asked for, oldest
/// first. None where no measure has two samples.
pub async fn on_one_side(
    store: &dyn Store,
    of: &DatabaseKey,
    ask: &DifferenceQuery,
    seams: &[Seam],
) -> Result<Option<Difference>, StoreError> {
    for place in (0..=seams.len()).rev() {
        let begins = place.checked_sub(1).and_then(|place| seams.get(place));
        let ends = seams.get(place).map_or(ask.to, |seam| seam.from);
        // where a seam is known to the second only, its time is before the sample's
        let from = begins.map_or(vec![ask.from], |seam| vec![seam.to, seam.after()]);
        for from in from {
            let to = ends;
            let found = store
                .difference(
                    of,
                    &DifferenceQuery {
                        from,
                        to,
                        ..ask.clone()
                    },
                )
                .await?;
            let is_one_measure = |found: &Difference| {
                let (from, to) = (found.from.sampled_at, found.to.sampled_at);
                let is_after = begins.is_none_or(|seam| from.as_second() >= seam.to.as_second());
                is_after && from < to && found.from.is_imported == found.to.is_imported
            };
            if let Some(found) = found.filter(is_one_measure) {
                return Ok(Some(found));
            }
        }
    }
    Ok(None)
}

/// Whether both samples know a size, or know that there was none.
pub fn is_covered(growth: &Growth) -> bool {
    let never_measured = |sizes: Option<Sizes>| sizes.map(|sizes| sizes.total_bytes().is_none());
    match (never_measured(growth.before), never_measured(growth.after)) {
        (Some(before), Some(after)) => before == after,
        _ => true,
    }
}

/// Why sizes are not compared across a seam.
pub fn not_compared(seam: Timestamp) -> String {
    format!(
        "what is older than {} UTC was measured by another tool, or covers something else, and is not compared with what is \
         newer",
        seam.strftime("%Y-%m-%d %H:%M")
    )
}
