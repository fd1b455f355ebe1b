//! Rows as they are inserted, and where they go.

use serde::{Deserialize, Serialize};

use super::row::{
    DatabaseRow, EventRow, IndexValueRow, RelationRow, SampleRow, TableValueRow, UnreadRow,
};
pub(crate) use crate::former_names::FormerLine;

/// What a store has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Write {
    /// Insert these.
    Rows(Destination, Vec<Line>),
    /// The database's own row becomes this one.
    Database(DatabaseRow),
    /// Parts that are unread until now were read again, or are gone.
    CloseUnread(i64),
}

/// Where rows go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Destination {
    Relations,
    /// Relations that are there and become what the row says.
    Replaced,
    /// Relations that are there and were there earlier.
    Earlier,
    /// Relations that are there and have gone.
    Gone,
    Samples,
    TableValues,
    IndexValues,
    /// A kind that both stores write alike: `kinds` takes it.
    Kind(SharedKind),
}

/// A kind of row that both stores write alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum SharedKind {
    FormerNames,
    Unread,
    Events,
}

/// A row as it is inserted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Line {
    Relation(Box<RelationRow>),
    At(AtTick),
    Former(FormerLine),
    Sample(Box<SampleRow>),
    TableValue(TableValueRow),
    IndexValue(IndexValueRow),
    Unread(UnreadRow),
    Event(EventRow),
}

/// A relation and a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AtTick {
    pub(super) relation: i32,
    pub(super) tick: i64,
}

impl Line {
    pub(crate) fn sample_id(&self) -> Option<i64> {
        match self {
            Self::Sample(row) => row.id,
            _ => None,
        }
    }
}

/// A database's relations, each where it goes.
#[derive(Default)]
pub(super) struct Placed {
    pub(super) added: Vec<Line>,
    pub(super) replaced: Vec<Line>,
    pub(super) earlier: Vec<Line>,
    pub(super) gone: Vec<Line>,
    pub(super) former: Vec<Line>,
}

impl Placed {
    /// What a store has to do for them, in this order.
    pub(super) fn writes(self) -> impl Iterator<Item = Write> {
        [
            (Destination::Gone, self.gone),
            (Destination::Relations, self.added),
            (Destination::Replaced, self.replaced),
            (Destination::Earlier, self.earlier),
            (Destination::Kind(SharedKind::FormerNames), self.former),
        ]
        .into_iter()
        .filter(|(_, lines)| !lines.is_empty())
        .map(|(table, lines)| Write::Rows(table, lines))
    }
}

/// The buffered lines, those of one table together as far as their order allows.
pub(crate) fn by_table(lines: &mut Vec<(Destination, Line)>) -> Vec<(Destination, Vec<Line>)> {
    let mut groups: Vec<(Destination, Vec<Line>)> = Vec::new();
    for (table, line) in lines.drain(..) {
        match groups.last_mut() {
            Some((last, group)) if *last == table => group.push(line),
            _ => groups.push((table, vec![line])),
        }
    }
    groups
}

/// Lines as the stores' statements take them.
pub(crate) fn batch_json(lines: &[Line]) -> String {
    // maps with text keys and numbers: cannot fail
    serde_json::to_string(lines).unwrap_or_default()
}
