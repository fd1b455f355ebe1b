//! Moves the kinds of rows that both stores write alike.

use std::collections::HashMap;

use super::line::{Line, SharedKind};
use super::row::{FormerRow, RelationRow, Row};
use crate::keys::Keys;
use crate::rows::Transaction;
use crate::{StoreError, events, former_names, unread};

/// What follows a database's values.
pub(crate) async fn rows(work: &dyn Transaction, keys: Keys) -> Result<Vec<Row>, StoreError> {
    let unread = unread::rows(work, keys).await?;
    let events = events::rows(work, keys).await?;
    let unread = unread.into_iter().map(Row::Unread);
    Ok(unread.chain(events.into_iter().map(Row::Event)).collect())
}

/// Takes lines of one of these kinds.
pub(crate) async fn take(
    work: &dyn Transaction,
    keys: Keys,
    kind: SharedKind,
    lines: &[Line],
) -> Result<(), StoreError> {
    match kind {
        SharedKind::FormerNames => {
            let lines = lines.iter().filter_map(|line| match line {
                Line::Former(line) => Some(line.clone()),
                _ => None,
            });
            former_names::take(work, keys, lines.collect()).await?;
        }
        SharedKind::Unread => {
            let rows = lines.iter().filter_map(|line| match line {
                Line::Unread(row) => Some(row.clone()),
                _ => None,
            });
            unread::take(work, keys, rows.collect()).await?;
        }
        SharedKind::Events => {
            let rows = lines.iter().filter_map(|line| match line {
                Line::Event(row) => Some(row.clone()),
                _ => None,
            });
            events::take(work, keys, rows.collect()).await?;
        }
    }
    Ok(())
}

/// The former names of a database's relations, for the relations to take along.
pub(crate) struct Formers(HashMap<i32, Vec<FormerRow>>);

impl Formers {
    pub(crate) async fn read(work: &dyn Transaction, keys: Keys) -> Result<Self, StoreError> {
        let mut formers: HashMap<i32, Vec<FormerRow>> = HashMap::new();
        for (relation, former) in former_names::rows(work, keys).await? {
            formers.entry(relation).or_default().push(former);
        }
        Ok(Self(formers))
    }

    /// Gives a relation its former names.
    pub(crate) fn give(&mut self, relation: &mut RelationRow) {
        relation.former = self.0.remove(&relation.relation).unwrap_or_default();
    }
}
