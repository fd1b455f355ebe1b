//! What a name stands for in a history: a database, a table, a set with its members, a schema, or nothing.
//!
//! Whatever takes a name asks here, so that all agree on what it means and on what is said where nothing has it.
//!
//! **Invariant:** the size of a set is the sum over those that belonged to it at each sample; without one of them it
//! is not known.

mod filter;
mod gone;
mod identity;
pub mod tree;
mod unknown;

use std::collections::HashSet;

use jiff::Timestamp;
use plimsoll_core::name::read_quoted;
use plimsoll_core::snapshot::TableKind;
use plimsoll_store::{
    DatabaseKey, IndexSeries, NamedEvent, Point, SampleQuery, SeriesQuery, SetMember, Store,
    StoreError, TableName,
};

pub use filter::TableFilter;
pub use gone::Gone;
pub use identity::{ResolvedDatabase, database, resolve_alias};
pub use unknown::{SelectionError, Unknown, unmeasured_reason};

/// What a table's name stands for, with its history.
#[derive(Debug, Clone)]
pub struct SelectedTable {
    /// Its name now, or its last one.
    pub name: TableName,
    /// What it is.
    pub kind: TableKind,
    /// When it was last seen, where the newest sample no longer shows it.
    pub gone: Option<Gone>,
    /// The table alone, at each sample that shows it.
    pub own: Vec<Point>,
    /// Itself and all below it as one, where others are partitions of it or inherit from it.
    pub set: Option<Set>,
    /// Its own indexes.
    pub indexes: Vec<IndexSeries>,
    /// What happened to it, to what is below it and to their indexes, oldest first.
    pub events: Vec<NamedEvent>,
}

/// A table that others are partitions of or inherit from, with these.
#[derive(Debug, Clone)]
pub struct Set {
    /// The sum over all that belonged to it at each sample.
    pub points: Vec<Point>,
    /// What belongs to it or did, largest first.
    pub members: Vec<SetMember>,
}

impl SelectedTable {
    /// Its sizes: of a set with all below it.
    pub fn points(&self) -> &[Point] {
        self.set.as_ref().map_or(&self.own, |set| &set.points)
    }

    /// Whether the newest sample no longer shows it.
    pub const fn is_gone(&self) -> bool {
        self.gone.is_some()
    }

    /// The names of all that belongs to it or did, itself included.
    pub fn names(&self) -> HashSet<&TableName> {
        let members = self.set.iter().flat_map(|set| &set.members);
        members
            .map(|member| &member.name)
            .chain([&self.name])
            .collect()
    }
}

/// The table or the set that a name stands for, with its sizes at the samples that match.
pub async fn table(
    store: &dyn Store,
    of: &DatabaseKey,
    name: &TableName,
    query: &SeriesQuery,
) -> Result<SelectedTable, SelectionError> {
    let (mut selected, is_gone) = matching(store, of, name, query).await?;
    if is_gone {
        // Of all samples, whichever were asked for: those that show it may be none of them.
        let all = SeriesQuery::default();
        let whole = if *query == all {
            None
        } else {
            Some(matching(store, of, name, &all).await?.0)
        };
        let whole = whole.as_ref().unwrap_or(&selected);
        let gone_at = gone::dropped_at(&whole.name, &whole.events);
        selected.gone = Some(Gone::of(whole.points(), gone_at));
    }
    Ok(selected)
}

/// The same without what is known of its end, and whether it is gone.
async fn matching(
    store: &dyn Store,
    of: &DatabaseKey,
    name: &TableName,
    query: &SeriesQuery,
) -> Result<(SelectedTable, bool), SelectionError> {
    let table = store.table_series(of, name, query).await?;
    let Some(table) = table else {
        return Err(Unknown::Table(name.clone()).into());
    };
    let below = |member: &SetMember| member.name != table.name;
    let set = store.set_series(of, name, query).await?;
    // A table without anything below it is a set of one: itself.
    let set = set.filter(|set| set.members.iter().any(below));
    let (set, events) = match set {
        Some(set) => {
            let (points, members) = (set.points, set.members);
            (Some(Set { points, members }), set.events)
        }
        None => (None, table.events),
    };
    let selected = SelectedTable {
        name: table.name,
        kind: table.kind,
        gone: None,
        own: table.points,
        set,
        indexes: table.indexes,
        events,
    };
    Ok((selected, table.is_gone))
}

/// What a schema's name stands for.
#[derive(Debug, Clone)]
pub struct SelectedSchema {
    /// Its name, raw.
    pub name: String,
    /// The sum over its tables at the samples that match.
    pub points: Vec<Point>,
    /// When one of its tables was last seen, where the newest sample shows none.
    pub gone: Option<Gone>,
}

/// The schema that a name stands for, raw or in quotes as it is shown, and the sum over its tables.
pub async fn schema(
    store: &dyn Store,
    of: &DatabaseKey,
    name: &str,
    query: &SeriesQuery,
) -> Result<SelectedSchema, SelectionError> {
    let newest = newest(store, of).await?;
    for name in interpretations(name) {
        let points = store.schema_series(of, &name, query).await?;
        if points.last().map(|point| point.sampled_at) == newest && newest.is_some() {
            let gone = None;
            return Ok(SelectedSchema { name, points, gone });
        }
        // Nothing that matches is not yet nothing at all.
        let whole = SeriesQuery::default();
        let all = if *query == whole {
            points.clone()
        } else {
            store.schema_series(of, &name, &whole).await?
        };
        let Some(last) = all.last() else { continue };
        let is_gone = newest.is_some_and(|newest| last.sampled_at < newest);
        let gone = is_gone.then(|| Gone::of(&all, None));
        return Ok(SelectedSchema { name, points, gone });
    }
    Err(Unknown::Schema(name.to_owned()).into())
}

async fn newest(store: &dyn Store, of: &DatabaseKey) -> Result<Option<Timestamp>, StoreError> {
    let newest = store.samples(&SampleQuery::newest(of.clone())).await?;
    Ok(newest.samples.first().map(|sample| sample.sampled_at))
}

/// The names that a given text may mean: itself, and where it stands in quotes, as names are shown, what is in them.
pub fn interpretations(name: &str) -> impl Iterator<Item = String> {
    [Some(name.to_owned()), read_quoted(name)]
        .into_iter()
        .flatten()
}
