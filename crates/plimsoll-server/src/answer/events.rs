//! What happened to relations and is not growth.

use jiff::Timestamp;
use plimsoll_core::change::EventKind;
use plimsoll_store::{DatabaseKey, EventQuery, NamedEvent, Store, StoreError};
use serde::Serialize;
use utoipa::ToSchema;

use super::schema;

/// Events of a database, newest first.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EventsAnswer {
    /// The configured name of the instance.
    pub instance: String,
    /// The database.
    pub database: String,
    /// The events.
    pub events: Vec<EventAnswer>,
    /// How many are given.
    pub count: u64,
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
    pub from: Timestamp,
    /// Not after this: the sample that shows it.
    pub to: Timestamp,
    /// Bytes before, where known.
    pub bytes_before: Option<u64>,
    /// Bytes after, where known.
    pub bytes_after: Option<u64>,
    /// What the numbers do not say, such as the name before and after.
    pub detail: Option<String>,
}

/// Reads events.
pub async fn events(
    store: &dyn Store,
    of: &DatabaseKey,
    query: &EventQuery,
) -> Result<EventsAnswer, StoreError> {
    let events: Vec<_> = store
        .events(of, query)
        .await?
        .into_iter()
        .map(event)
        .collect();
    Ok(EventsAnswer {
        instance: of.instance.clone(),
        database: of.database.clone(),
        count: events.len() as u64,
        events,
    })
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
