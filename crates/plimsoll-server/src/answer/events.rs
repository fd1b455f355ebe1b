//! What happened to relations and is not growth, and what statistics see in a series.

use std::cmp::Reverse;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::change::{Event, EventKind};
use plimsoll_core::events::{ShapeKind, shapes};
use plimsoll_core::forecast::Point;
use plimsoll_store::{DatabaseKey, EventQuery, NamedEvent, Store, StoreError, TableName};
use serde::Serialize;
use utoipa::ToSchema;

use super::gone::GoneAnswer;
use super::schema;
use super::shapes::ShapeAnswer;
use crate::ask::params::{EVENT_KIND, EVENTS_LIMIT, SINCE, TABLE_AND_BELOW};
use crate::ask::{Ask, AskError, Given, Param, Refused};
use crate::disk::last_look;
use crate::forecasting::{ForecastError, series_of, series_of_table};

/// What is asked of the events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventsQuery {
    /// Of this table and its indexes only (and of the set below it); without it of the database.
    pub table: Option<TableName>,
    /// Which kinds.
    pub kinds: HappeningKinds,
    /// Which ended not before this.
    pub since: Option<Timestamp>,
    /// At most so many, newest first.
    pub limit: usize,
}

impl Ask for EventsQuery {
    fn params() -> Vec<&'static Param> {
        vec![&TABLE_AND_BELOW, &EVENT_KIND, &SINCE, &EVENTS_LIMIT]
    }

    fn read(given: &Given) -> Result<Self, Refused> {
        Ok(Self {
            table: given.table(&TABLE_AND_BELOW)?,
            kinds: given.word(&EVENT_KIND)?,
            since: given.time(&SINCE)?,
            limit: given.number(&EVENTS_LIMIT)?.unwrap_or(usize::MAX),
        })
    }
}

/// Kinds of events and shapes; without any, all of both.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HappeningKinds {
    /// Recorded events.
    pub recorded: Vec<EventKind>,
    /// Shapes that statistics see.
    pub shapes: Vec<ShapeKind>,
}

impl FromStr for HappeningKinds {
    type Err = AskError;

    fn from_str(text: &str) -> Result<Self, AskError> {
        let mut kinds = Self::default();
        if text == "all" {
            return Ok(kinds);
        }
        for word in text.split(',').map(str::trim) {
            let mut shapes = ShapeKind::ALL.into_iter();
            if let Ok(kind) = word.parse() {
                kinds.recorded.push(kind);
            } else if let Some(shape) = shapes.find(|shape| shape.as_str() == word) {
                kinds.shapes.push(shape);
            } else {
                let recorded = EventKind::ALL.map(EventKind::as_str).join(", ");
                let shapes = ShapeKind::ALL.map(ShapeKind::as_str).join(", ");
                let expected = format!("all, or a list of {recorded}, {shapes}");
                return Err(AskError::new(word, expected));
            }
        }
        Ok(kinds)
    }
}

impl HappeningKinds {
    fn is_all(&self) -> bool {
        self.recorded.is_empty() && self.shapes.is_empty()
    }

    fn wants_recorded(&self, kind: EventKind) -> bool {
        self.is_all() || self.recorded.contains(&kind)
    }

    fn wants(&self, shape: ShapeKind) -> bool {
        self.is_all() || self.shapes.contains(&shape)
    }
}

/// What happened, newest first.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EventsAnswer {
    /// The configured name of the instance; null for a file.
    pub instance: Option<String>,
    /// The database; null for a file.
    pub database: Option<String>,
    /// When the table that was asked for was last seen, and how large it was, where it is gone; else null.
    pub gone: Option<GoneAnswer>,
    /// The events.
    pub events: Vec<HappeningAnswer>,
    /// How many are given.
    pub count: u64,
}

/// Something that happened: a recorded event, or a shape that statistics see in the series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct HappeningAnswer {
    /// When: the sample that shows the event, or the end of the first day that was different.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub t: Timestamp,
    /// What it is.
    #[schema(schema_with = schema::happening_kind)]
    pub kind: &'static str,
    /// Whether it is abnormal growth; recorded events are information.
    pub alert: bool,
    /// The schema of the table that it happened to; null for the whole database.
    pub schema_name: Option<String>,
    /// The table's name now, or its last one.
    pub table_name: Option<String>,
    /// The index, where it happened to one.
    pub index_name: Option<String>,
    /// Not before this.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub from: Timestamp,
    /// Not after this.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub to: Timestamp,
    /// Bytes before, where known; null for shapes.
    pub bytes_before: Option<u64>,
    /// Bytes after, where known; null for shapes.
    pub bytes_after: Option<u64>,
    /// Of a step or a burst, the bytes beyond what was usual; of an event, by how much it moved the
    /// size; null for slopes.
    pub delta_bytes: Option<i64>,
    /// Growth per day before; null for events.
    pub rate_before: Option<i64>,
    /// Growth per day since; null for events and steps.
    pub rate_after: Option<i64>,
    /// When the shape could be told; for events the same as `t`.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub found_at: Timestamp,
    /// What the numbers do not say, such as the name before and after.
    pub detail: Option<String>,
}

/// Something that happened between two samples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct EventAnswer {
    /// What happened.
    #[schema(schema_with = schema::event_kind)]
    pub kind: EventKind,
    /// The schema of the table that it happened to; null for the whole database.
    pub schema_name: Option<String>,
    /// The table's name now, or its last one.
    pub table_name: Option<String>,
    /// The index, where it happened to one.
    pub index_name: Option<String>,
    /// Not before this: the sample that did not show it yet.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub from: Timestamp,
    /// Not after this: the sample that shows it.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub to: Timestamp,
    /// Bytes before, where known.
    pub bytes_before: Option<u64>,
    /// Bytes after, where known.
    pub bytes_after: Option<u64>,
    /// What the numbers do not say, such as the name before and after.
    pub detail: Option<String>,
}

/// Reads events, and looks for shapes in the series of the table or the database.
pub async fn events(
    store: &dyn Store,
    of: &DatabaseKey,
    query: &EventsQuery,
) -> Result<EventsAnswer, ForecastError> {
    let mut gone = None;
    let (name, recorded, points, known) = match &query.table {
        None => {
            let (points, known) = series_of(store, of).await?;
            (None, recorded(store, of, query).await?, points, known)
        }
        Some(table) => {
            let (selected, points, known) = series_of_table(store, of, table).await?;
            gone = selected.gone;
            (Some(selected.name), selected.events, points, known)
        }
    };
    let mut found: Vec<_> = recorded
        .into_iter()
        .filter(|event| query.kinds.wants_recorded(event.event.kind))
        .map(recorded_as)
        .collect();
    let (schema_name, table_name) = name.map(|name| (name.schema_name, name.table_name)).unzip();
    let news = shapes(&points, &known)
        .into_iter()
        .filter(|shape| query.kinds.wants(shape.kind));
    found.extend(news.map(|shape| HappeningAnswer {
        schema_name: schema_name.clone(),
        table_name: table_name.clone(),
        ..shape_as(&ShapeAnswer::from(&shape))
    }));
    if query.table.is_none() && query.kinds.wants_recorded(EventKind::Resize) {
        found.extend(resizes(store, &of.instance).await?);
    }
    found.retain(|event| query.since.is_none_or(|since| event.to >= since));
    found.sort_by_key(|event| Reverse(event.t));
    found.truncate(query.limit);
    Ok(EventsAnswer {
        instance: Some(of.instance.clone()),
        database: Some(of.database.clone()),
        gone: gone.map(Into::into),
        count: found.len() as u64,
        events: found,
    })
}

/// What happened to the volumes of the database's server.
async fn resizes(store: &dyn Store, instance: &str) -> Result<Vec<HappeningAnswer>, StoreError> {
    let last = last_look(store, instance).await?;
    let resizes = last.map_or_else(Vec::new, |last| last.resizes());
    let resizes = resizes.into_iter().map(|(volume, resize)| {
        let event = Event {
            relation: None,
            kind: EventKind::Resize,
            from: resize.from,
            to: resize.at,
            bytes_before: Some(resize.before_bytes),
            bytes_after: Some(resize.after_bytes),
            detail: Some(format!("the volume {volume}")),
        };
        recorded_as(NamedEvent {
            event,
            table: None,
            index_name: None,
        })
    });
    Ok(resizes.collect())
}

/// Recorded events of a database, as many as may be told.
async fn recorded(
    store: &dyn Store,
    of: &DatabaseKey,
    query: &EventsQuery,
) -> Result<Vec<NamedEvent>, StoreError> {
    if query.kinds.recorded.is_empty() && !query.kinds.is_all() {
        return Ok(Vec::new());
    }
    let recorded = EventQuery {
        table: None,
        kinds: query.kinds.recorded.clone(),
        since: query.since,
        limit: Some(query.limit),
    };
    store.events(of, &recorded).await
}

/// The shapes of any series, oldest first.
pub fn of_points(points: &[Point]) -> EventsAnswer {
    let events: Vec<_> = shapes(points, &[])
        .iter()
        .map(|shape| shape_as(&ShapeAnswer::from(shape)))
        .collect();
    EventsAnswer {
        instance: None,
        database: None,
        gone: None,
        count: events.len() as u64,
        events,
    }
}

fn recorded_as(named: NamedEvent) -> HappeningAnswer {
    let known = event(named);
    let signed = |bytes: Option<u64>| i64::try_from(bytes?).ok();
    let delta_bytes = signed(known.bytes_after)
        .zip(signed(known.bytes_before))
        .map(|(after, before)| after - before);
    HappeningAnswer {
        t: known.to,
        kind: known.kind.as_str(),
        alert: false,
        schema_name: known.schema_name,
        table_name: known.table_name,
        index_name: known.index_name,
        from: known.from,
        to: known.to,
        bytes_before: known.bytes_before,
        bytes_after: known.bytes_after,
        delta_bytes,
        rate_before: None,
        rate_after: None,
        found_at: known.to,
        detail: known.detail,
    }
}

fn shape_as(shape: &ShapeAnswer) -> HappeningAnswer {
    HappeningAnswer {
        t: shape.t,
        kind: shape.kind.as_str(),
        alert: shape.alert,
        schema_name: None,
        table_name: None,
        index_name: None,
        from: shape
            .t
            .checked_sub(SignedDuration::from_hours(24))
            .unwrap_or(shape.t),
        to: shape.t,
        bytes_before: None,
        bytes_after: None,
        delta_bytes: shape.delta_bytes,
        rate_before: Some(shape.rate_before),
        rate_after: shape.rate_after,
        found_at: shape.found_at,
        detail: None,
    }
}

/// An event as answers show it.
pub fn event(named: NamedEvent) -> EventAnswer {
    let event = named.event;
    let (schema_name, table_name) = named
        .table
        .map(|name| (name.schema_name, name.table_name))
        .unzip();
    EventAnswer {
        kind: event.kind,
        schema_name,
        table_name,
        index_name: named.index_name,
        from: event.from,
        to: event.to,
        bytes_before: event.bytes_before,
        bytes_after: event.bytes_after,
        detail: event.detail,
    }
}
