//! The series behind a forecast, and the recorded events that are no growth.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::change::EventKind;
use plimsoll_core::coverage::begins;
use plimsoll_core::forecast::{KnownChange, Point};
use plimsoll_store::{
    DatabaseKey, EventQuery, NamedEvent, SampleQuery, SeriesQuery, Step, Store, StoreError,
    TableName,
};

use crate::coverage::{Seam, not_compared};
use crate::selection::{self, SelectedSchema, SelectedTable, SelectionError};

/// A series, and what is known to have happened to it.
#[derive(Debug, Clone, Default)]
pub(super) struct Series {
    pub(super) points: Vec<Point>,
    /// Recorded events that are no growth.
    pub(super) events: Vec<NamedEvent>,
    /// Of a part that is what others leave of a whole: what came into sight in those, and left this one thereby.
    pub(super) left: Vec<NamedEvent>,
    /// Since when it is measured as it is now, where what is older does not compare and was left out.
    pub(super) coverage_changed_at: Option<Timestamp>,
}

impl Series {
    /// A series of one measure: without what another tool measured, unless the two meet.
    pub(super) fn of_one_measure(points: Vec<Point>, events: Vec<NamedEvent>) -> Self {
        let whole = Self {
            points,
            events,
            ..Self::default()
        };
        whole.cut()
    }

    /// What happened to it, as the forecast takes that.
    pub(super) fn known(&self) -> Vec<KnownChange> {
        [known(&self.events), known_of_rest(&self.left)].concat()
    }

    /// When what is measured changed last.
    pub(super) fn last_seam(&self) -> Option<Timestamp> {
        seams(&self.events).into_iter().max()
    }

    /// The same of one that may be of several measures.
    pub(super) fn cut(mut self) -> Self {
        let Some((place, at)) = begins(&self.points, &seams(&self.events)) else {
            return self;
        };
        self.points.drain(..place);
        let first = self.points.first().map(|point| point.at);
        for events in [&mut self.events, &mut self.left] {
            events.retain(|event| first.is_none_or(|first| event.event.to > first));
        }
        self.coverage_changed_at = Some(at);
        self
    }
}

/// When what is measured changed, by the events.
pub(super) fn seams(events: &[NamedEvent]) -> Vec<Timestamp> {
    let seams = events.iter().filter_map(Seam::of);
    seams.map(|seam| seam.to).collect()
}

/// Events of these kinds move bytes once and say nothing about growth.
pub(super) const NO_GROWTH: [EventKind; 6] = [
    EventKind::Rewrite,
    EventKind::Truncate,
    EventKind::Reindex,
    EventKind::Restore,
    EventKind::Recreate,
    EventKind::Coverage,
];

/// What comes back so often is how the table lives, and part of its forecast.
const REGULAR: usize = 3;

/// More samples than are kept.
const ALL_SAMPLES: usize = 1_000_000;

/// A database that was not sampled for so long, while others were, is gone.
const GONE_AFTER: SignedDuration = SignedDuration::from_hours(48);

/// One sample an hour: a forecast needs no more, and a young history no less.
pub(super) fn hourly() -> SeriesQuery {
    SeriesQuery {
        step: Step::Hour,
        ..SeriesQuery::default()
    }
}

/// Sizes as the forecast takes them.
pub(super) fn sizes(points: &[plimsoll_store::Point]) -> Vec<Point> {
    let size = |point: &plimsoll_store::Point| {
        Some(Point {
            at: point.sampled_at,
            bytes: point.total_bytes()?,
        })
    };
    points.iter().filter_map(size).collect()
}

/// What `pg_database_size` said at each sample, as far as that is one measure.
pub(super) async fn database(store: &dyn Store, of: &DatabaseKey) -> Result<Series, StoreError> {
    Ok(whole_database(store, of).await?.cut())
}

/// The same of all samples.
pub(super) async fn whole_database(
    store: &dyn Store,
    of: &DatabaseKey,
) -> Result<Series, StoreError> {
    Ok(Series {
        points: totals(store, of).await?,
        events: of_whole(database_events(store, of).await?),
        ..Series::default()
    })
}

/// What happened in a database that is no growth.
pub(super) async fn database_events(
    store: &dyn Store,
    of: &DatabaseKey,
) -> Result<Vec<NamedEvent>, StoreError> {
    Ok(no_growth(store.events(of, &query(None)).await?))
}

async fn totals(store: &dyn Store, of: &DatabaseKey) -> Result<Vec<Point>, StoreError> {
    let query = SampleQuery {
        of: of.clone(),
        kinds: Vec::new(),
        since: None,
        step: Step::Hour,
        limit: ALL_SAMPLES,
    };
    let mut points: Vec<Point> = store
        .samples(&query)
        .await?
        .samples
        .iter()
        .filter_map(|sample| {
            Some(Point {
                at: sample.sampled_at,
                bytes: sample.total_bytes?,
            })
        })
        .collect();
    points.reverse();
    Ok(points)
}

/// The sum over a schema's tables, with what the schema's name stands for.
pub(super) async fn schema(
    store: &dyn Store,
    of: &DatabaseKey,
    name: &str,
) -> Result<(SelectedSchema, Series), SelectionError> {
    let schema = selection::schema(store, of, name, &hourly()).await?;
    let events = of_part(&database_events(store, of).await?, |event| {
        let table = event.table.as_ref();
        table.is_some_and(|table| table.schema_name == schema.name)
    });
    let series = Series::of_one_measure(sizes(&schema.points), events);
    Ok((schema, series))
}

/// A table; a parent with everything below it.
pub(super) async fn table(
    store: &dyn Store,
    of: &DatabaseKey,
    name: &TableName,
) -> Result<(SelectedTable, Series), SelectionError> {
    let mut selected = selection::table(store, of, name, &hourly()).await?;
    if selected.is_gone() {
        // it may have come and gone within an hour
        selected = selection::table(store, of, name, &SeriesQuery::default()).await?;
    }
    let mut events = no_growth(selected.events.clone());
    events.extend(of_part(&database_events(store, of).await?, |_| false));
    events.sort_by_key(|event| event.event.to);
    let series = Series::of_one_measure(sizes(selected.points()), events);
    Ok((selected, series))
}

/// All databases of an instance that are sampled, each with its series.
pub(super) async fn databases(
    store: &dyn Store,
    instance: &str,
) -> Result<Vec<(DatabaseKey, Series)>, StoreError> {
    let mut all = Vec::new();
    for key in store.databases().await? {
        if key.instance == instance {
            let series = database(store, &key).await?;
            all.push((key, series));
        }
    }
    let last = |series: &Series| series.points.last().map(|point| point.at);
    let newest = all.iter().filter_map(|(_, series)| last(series)).max();
    all.retain(|(_, series)| {
        last(series)
            .zip(newest)
            .is_some_and(|(last, newest)| newest.duration_since(last) < GONE_AFTER)
    });
    Ok(all)
}

/// Their sum.
pub(super) fn instance(databases: &[(DatabaseKey, Series)]) -> Series {
    all_of(databases.iter().map(|(_, series)| series))
}

/// The sum of databases' series, or of parts of them.
pub(super) fn all_of<'a>(series: impl Iterator<Item = &'a Series>) -> Series {
    let (mut parts, mut all) = (Vec::new(), Series::default());
    for one in series {
        parts.push(one.points.clone());
        all.events.extend(one.events.iter().cloned());
        all.left.extend(one.left.iter().cloned());
        all.coverage_changed_at = all.coverage_changed_at.max(one.coverage_changed_at);
    }
    all.points = together(&parts);
    all
}

/// The sum of several series, at each moment of any of them. Before its first point a part was as it is there, and
/// nobody looked: that it is watched now is no growth.
fn together(parts: &[Vec<Point>]) -> Vec<Point> {
    let mut changes: Vec<(Timestamp, i128)> = Vec::new();
    let mut sum = 0_i128;
    for points in parts {
        let mut last = 0_i128;
        if let Some(first) = points.first() {
            last = i128::from(first.bytes);
            sum += last;
        }
        for point in points {
            changes.push((point.at, i128::from(point.bytes) - last));
            last = i128::from(point.bytes);
        }
    }
    changes.sort_by_key(|(at, _)| *at);
    let mut points: Vec<Point> = Vec::with_capacity(changes.len());
    for (at, change) in changes {
        sum += change;
        let bytes = u64::try_from(sum).unwrap_or(0);
        match points.last_mut().filter(|last| last.at == at) {
            Some(last) => last.bytes = bytes,
            None => points.push(Point { at, bytes }),
        }
    }
    points
}

fn query(table: Option<TableName>) -> EventQuery {
    EventQuery {
        table,
        kinds: NO_GROWTH.to_vec(),
        since: None,
        limit: None,
    }
}

/// Of events, those that move bytes once. What happens to a relation again and again (a staging table
/// that is truncated each night) stays in its series, where it is a pattern.
pub(super) fn no_growth(events: Vec<NamedEvent>) -> Vec<NamedEvent> {
    let key = |event: &NamedEvent| (event.event.kind, event.event.relation);
    let mut times: HashMap<_, usize> = HashMap::new();
    for event in &events {
        *times.entry(key(event)).or_default() += 1;
    }
    let mut events: Vec<_> = events
        .into_iter()
        .filter(|event| {
            let kind = event.event.kind;
            // however often a table could not be looked at, that is not how it lives
            let is_regular = kind != EventKind::Coverage && times[&key(event)] >= REGULAR;
            NO_GROWTH.contains(&kind) && !is_regular
        })
        .collect();
    events.sort_by_key(|event| event.event.to);
    events
}

/// Of events, those of a whole database's size: the server counts what only its relations could not show.
pub(super) fn of_whole(mut events: Vec<NamedEvent>) -> Vec<NamedEvent> {
    events.retain(|event| event.event.kind != EventKind::Coverage || is_of_all(event));
    events
}

/// Events as what belongs to no table shows them: what comes into sight of a table leaves it.
pub(super) fn known_of_rest(events: &[NamedEvent]) -> Vec<KnownChange> {
    let coverage = |event: &&NamedEvent| event.event.kind == EventKind::Coverage;
    let coverage: Vec<NamedEvent> = events.iter().filter(coverage).cloned().collect();
    let mut changes = known(&coverage);
    for change in &mut changes {
        change.delta_bytes = change.delta_bytes.map(|bytes| -bytes);
    }
    let mut restored = of_part(events, |_| false);
    restored.retain(|event| event.event.kind == EventKind::Restore);
    changes.extend(known(&restored));
    changes
}

/// Whether an event says of every series that it was measured otherwise before, or that it was restored.
pub(super) fn is_of_all(event: &NamedEvent) -> bool {
    let kind = event.event.kind;
    event.event.relation.is_none() && matches!(kind, EventKind::Coverage | EventKind::Restore)
}

/// Of a database's events, a part's own and those of all: of these nobody says how many bytes moved in the part.
pub(super) fn of_part(all: &[NamedEvent], is_own: impl Fn(&NamedEvent) -> bool) -> Vec<NamedEvent> {
    let of_part = |event: &NamedEvent| {
        let mut event = event.clone();
        if is_of_all(&event) {
            (event.event.bytes_before, event.event.bytes_after) = (None, None);
            return Some(event);
        }
        is_own(&event).then_some(event)
    };
    all.iter().filter_map(of_part).collect()
}

/// Why there is no forecast, with what was left out of the series.
pub(super) fn because(reason: &str, coverage_changed_at: Option<Timestamp>) -> String {
    match coverage_changed_at {
        Some(at) => format!("{reason}; {}", not_compared(at)),
        None => reason.to_owned(),
    }
}

/// Events as the forecast takes them: half way between the samples around each.
pub(crate) fn known(events: &[NamedEvent]) -> Vec<KnownChange> {
    events
        .iter()
        .filter_map(|NamedEvent { event, .. }| {
            let bytes = |bytes: Option<u64>| i64::try_from(bytes?).ok();
            let delta_bytes = match (event.kind, event.relation) {
                // so much came into sight
                (EventKind::Coverage, Some(_)) => bytes(event.bytes_after),
                // what another tool covered is not known, so all that is unusual there is no growth
                (EventKind::Coverage, None) => None,
                // nor what of a restored database a part had
                (EventKind::Restore, _) => {
                    let sizes = bytes(event.bytes_after).zip(bytes(event.bytes_before));
                    sizes.map(|(after, before)| after - before)
                }
                _ => Some(bytes(event.bytes_after)? - bytes(event.bytes_before)?),
            };
            let half = event.to.duration_since(event.from) / 2;
            Some(KnownChange {
                at: event.from.checked_add(half).ok()?,
                delta_bytes,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(sizes: &[(i64, u64)]) -> Vec<Point> {
        let point = |&(second, bytes): &(i64, u64)| Point {
            at: Timestamp::from_second(second).unwrap(),
            bytes,
        };
        sizes.iter().map(point).collect()
    }

    #[test]
    fn a_sum_knows_what_was_there_before_each_part() {
        let parts = [
            points(&[(0, 10), (20, 12)]),
            points(&[(10, 5), (20, 4), (30, 9)]),
        ];
        assert_eq!(
            together(&parts),
            points(&[(0, 15), (10, 15), (20, 16), (30, 21)])
        );
        assert_eq!(together(&[]), Vec::new());
    }

    #[test]
    fn what_happens_every_night_stays_in_the_series() {
        let event = |kind, relation, day: i64| NamedEvent {
            event: plimsoll_core::change::Event {
                kind,
                relation: Some(relation),
                from: Timestamp::from_second(day * 86_400).unwrap(),
                to: Timestamp::from_second(day * 86_400 + 3600).unwrap(),
                bytes_before: Some(100),
                bytes_after: Some(40),
                detail: None,
            },
            table: None,
            index_name: None,
        };
        let mut events: Vec<_> = (0..5)
            .map(|day| event(EventKind::Truncate, 1, day))
            .collect();
        events.push(event(EventKind::Rewrite, 1, 3));
        events.push(event(EventKind::Truncate, 2, 1));
        events.push(event(EventKind::Rename, 2, 1));
        let kept = no_growth(events);
        let kinds: Vec<_> = kept
            .iter()
            .map(|e| (e.event.kind, e.event.relation))
            .collect();
        assert_eq!(
            kinds,
            [
                (EventKind::Truncate, Some(2)),
                (EventKind::Rewrite, Some(1))
            ]
        );
        let changes = known(&kept);
        assert_eq!(changes[0].delta_bytes, Some(-60));
        assert_eq!(changes[0].at.as_second(), 86_400 + 1800);
    }
}
