//! What a name stands for in a history: a database, a table, a set with its members, a schema, or nothing.
//!
//! Whatever takes a name asks here, so that all agree on what it means and on what is said where nothing has it.
//!
//! **Invariant:** the size of a set is the sum over those that belonged to it at each sample; without one of them it
//! is not known.

mod identity;
mod only;
pub mod tree;
mod unknown;

use std::collections::HashSet;

use plimsoll_core::name::read_quoted;
use plimsoll_core::snapshot::TableKind;
use plimsoll_store::{
    DatabaseKey, IndexSeries, NamedEvent, Point, SeriesQuery, SetMember, Store, TableName,
};

pub use identity::{database, identity};
pub use only::Only;
pub use unknown::{SelectionError, Unknown, unmeasured};

/// What a table's name stands for, with its history.
#[derive(Debug, Clone)]
pub struct Selected {
    /// Its name now, or its last one.
    pub name: TableName,
    /// What it is.
    pub kind: TableKind,
    /// Whether the newest sample no longer shows it.
    pub is_gone: bool,
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

impl Selected {
    /// Its sizes: of a set with all below it.
    pub fn points(&self) -> &[Point] {
        self.set.as_ref().map_or(&self.own, |set| &set.points)
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
) -> Result<Selected, SelectionError> {
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
    Ok(Selected {
        name: table.name,
        kind: table.kind,
        is_gone: table.is_gone,
        own: table.points,
        set,
        indexes: table.indexes,
        events,
    })
}

/// The schema that a name stands for, raw or in quotes as it is shown, and the sum over its tables.
pub async fn schema(
    store: &dyn Store,
    of: &DatabaseKey,
    name: &str,
    query: &SeriesQuery,
) -> Result<(String, Vec<Point>), SelectionError> {
    for name in readings(name) {
        let points = store.schema_series(of, &name, query).await?;
        let all = SeriesQuery::default();
        // Nothing that matches is not yet nothing at all.
        if !points.is_empty()
            || (*query != all && !store.schema_series(of, &name, &all).await?.is_empty())
        {
            return Ok((name, points));
        }
    }
    Err(Unknown::Schema(name.to_owned()).into())
}

/// What a name that is given raw may mean: itself; and where it stands in quotes, as it is shown, what is in them.
pub fn readings(name: &str) -> impl Iterator<Item = String> {
    [Some(name.to_owned()), read_quoted(name)]
        .into_iter()
        .flatten()
}
