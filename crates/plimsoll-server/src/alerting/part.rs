//! A schema, set or table that a rule judges: its history, and what is told of it beside its numbers.

use async_trait::async_trait;
use jiff::Timestamp;
use plimsoll_core::alert::contributors::{Contributor, Part as Share, contributors};
use plimsoll_core::alert::{AlertType, Reading, Subject};
use plimsoll_core::change::{EventKind, Sizes};
use plimsoll_core::size::signed;
use plimsoll_store::{DatabaseKey, NamedEvent, Point, SeriesQuery, Store, StoreError, TableName};

use super::contributors::{change, of_growth};
use super::settle::{Beside, Telling};
use super::told::{DAY, EVENTS, event, gained};
use crate::selection::{self, SelectedSchema, SelectedTable, SelectionError};

/// A part of a database, with its sizes over time.
pub(super) enum Part {
    Schema(SelectedSchema),
    /// A table; a parent with everything below it.
    Table(Box<SelectedTable>),
}

impl Part {
    /// Reads a subject's history; none where the history has none of it.
    pub(super) async fn read(
        store: &dyn Store,
        of: &DatabaseKey,
        subject: &Subject,
        query: &SeriesQuery,
    ) -> Result<Option<Self>, StoreError> {
        let schema = subject.schema_name.as_deref().unwrap_or_default();
        let found = match &subject.table_name {
            None => selection::schema(store, of, schema, query)
                .await
                .map(Self::Schema),
            Some(table) => {
                let name = TableName::new(schema, table);
                let found = selection::table(store, of, &name, query).await;
                found.map(|found| Self::Table(Box::new(found)))
            }
        };
        match found {
            Ok(part) => Ok(Some(part)),
            Err(SelectionError::Unknown(_)) => Ok(None),
            Err(SelectionError::Store(error)) => Err(error),
        }
    }

    /// Its sizes, oldest first.
    pub(super) fn points(&self) -> &[Point] {
        match self {
            Self::Schema(schema) => &schema.points,
            Self::Table(table) => table.points(),
        }
    }

    /// Whether something happened to it, or to what belongs to it. That it became part of something else is no change
    /// of its own.
    pub(super) fn has(&self, named: &NamedEvent) -> bool {
        let Some(table) = &named.table else {
            return false;
        };
        let is_of_set = matches!(named.event.kind, EventKind::Attach | EventKind::Detach);
        match self {
            Self::Schema(schema) => !is_of_set && table.schema_name == schema.name,
            Self::Table(own) => own.names().contains(table) && !(is_of_set && *table == own.name),
        }
    }

    /// What it gained from one time to another, by what it is made of.
    async fn shares(
        &self,
        store: &dyn Store,
        of: &DatabaseKey,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Vec<Contributor>, StoreError> {
        let own = match self {
            Self::Table(own) if own.set.is_none() => return Ok(shares_of(own, from, to)),
            own => own,
        };
        let mut shares = of_growth(store, of, from, to).await?;
        shares.retain(|share| own.has_table(share));
        Ok(shares)
    }

    fn has_table(&self, share: &Contributor) -> bool {
        let (Some(schema), Some(table)) = (&share.schema_name, &share.table_name) else {
            return false;
        };
        match self {
            Self::Schema(own) => *schema == own.name,
            Self::Table(own) => own.names().contains(&TableName::new(schema, table)),
        }
    }
}

/// What a table gained: its rows, its toast, each of its indexes.
fn shares_of(table: &SelectedTable, from: Timestamp, to: Timestamp) -> Vec<Contributor> {
    let sizes = |points: &[Point], time: Timestamp| -> Option<Sizes> {
        let point = points.iter().rfind(|point| point.sampled_at <= time)?;
        Some(point.sizes)
    };
    let share = |part, name: Option<&str>, bytes: Option<i64>| {
        Some(Contributor {
            part,
            schema_name: Some(table.name.schema_name.clone()),
            table_name: Some(table.name.table_name.clone()),
            name: name.map(str::to_owned),
            bytes: bytes?,
        })
    };
    let (before, after) = (sizes(&table.own, from), sizes(&table.own, to));
    let heap = change(before, after, |sizes| sizes.heap_bytes);
    let toast = change(before, after, |sizes| Some(sizes.all_toast_bytes()));
    let indexes = table.indexes.iter().filter(|index| !index.is_gone);
    let indexes = indexes.map(|index| {
        let (before, after) = (sizes(&index.points, from), sizes(&index.points, to));
        let bytes = change(before, after, |sizes| sizes.total_bytes());
        share(Share::Index, Some(&index.index_name), bytes)
    });
    let own = [
        share(Share::Heap, None, heap),
        share(Share::Toast, None, toast),
    ];
    own.into_iter().chain(indexes).flatten().collect()
}

/// What is told of a part at a sample.
pub(super) struct PartTelling<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) of: &'a DatabaseKey,
    /// The sample's time.
    pub(super) now: Timestamp,
    pub(super) part: &'a Part,
    /// Of the sample that `growth_warning` counts from.
    pub(super) growth_from: Option<Timestamp>,
    /// What happened to it and is no growth, newest first.
    pub(super) events: Vec<NamedEvent>,
}

#[async_trait]
impl Telling for PartTelling<'_> {
    async fn tell(&self, alert_type: AlertType, reading: &Reading) -> Result<Beside, StoreError> {
        let is_growth = alert_type == AlertType::GrowthWarning;
        let day_ago = self.now.saturating_sub(DAY).unwrap_or(Timestamp::MIN);
        let from = self.growth_from.filter(|_| is_growth).unwrap_or(day_ago);
        let points = self.part.points();
        let before = points.iter().rfind(|point| point.sampled_at <= from);
        let ends = before.or(points.first()).zip(points.last());
        let Some((before, after)) = ends else {
            return Ok(Beside::default());
        };
        let (from, to) = (before.sampled_at, after.sampled_at);
        let shares = self.part.shares(self.store, self.of, (from, to)).await?;
        let change = match (is_growth, reading.previous_bytes, reading.current_bytes) {
            (true, Some(previous), Some(current)) => gained(previous, current),
            _ => {
                let bytes = |point: &Point| signed(point.total_bytes().unwrap_or(0));
                bytes(after).saturating_sub(bytes(before))
            }
        };
        let events = self.events.iter().filter(|it| it.event.to > from);
        Ok(Beside {
            contributors: contributors(shares, change),
            counted_since: (!is_growth).then_some(from),
            events: events.take(EVENTS).map(event).collect(),
            forecast: None,
        })
    }
}
