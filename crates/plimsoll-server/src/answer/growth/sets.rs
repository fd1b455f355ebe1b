//! Partition sets and inheritance trees, each as one.

use std::cmp::Reverse;
use std::collections::HashMap;

use plimsoll_core::change::RelationId;
use plimsoll_core::size::signed;
use plimsoll_core::size_text;
use plimsoll_store::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Span;
use crate::selection::tree::{self, SetSum};

/// What a set grew by.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SetGrowth {
    /// Its root's name, raw.
    pub table_name: String,
    /// The root's schema's name, raw.
    pub schema_name: String,
    /// How many tables with bytes belong to it now.
    pub tables: u64,
    /// Bytes of all of them before; null where one of them was never measured.
    pub before_bytes: Option<u64>,
    /// Bytes of all of them after; null likewise.
    pub after_bytes: Option<u64>,
    /// What it grew by; negative where it shrank. Null where one of the two is not known.
    pub grown_bytes: Option<i64>,
    /// `grown_bytes` with its sign, as `pg_size_pretty` prints it.
    pub grown_human: Option<String>,
    /// The same a day; null for less than an hour.
    pub per_day_bytes: Option<i64>,
    /// In percent of what the database grew by; null unless that grew.
    pub share_percent: Option<f64>,
    /// Why `grown_bytes` is null.
    pub unknown: Option<String>,
}

/// The sets of the later state that changed in size, what grew most first; those of which that is not known last.
pub(super) fn sets(before: &State, after: &State, span: &Span) -> Vec<SetGrowth> {
    let then = tree::sets_of_state(before);
    let alone: HashMap<RelationId, Option<u64>> = before
        .tables
        .iter()
        .map(|table| (table.id, table.sizes.total_bytes()))
        .collect();
    let now = tree::sets_of_state(after);
    let mut sets: Vec<_> = after
        .tables
        .iter()
        .filter(|table| table.parent.is_none())
        .filter_map(|root| {
            let sum = now.get(&root.id)?;
            // before it had anything below it, it was itself; before it was there, nothing
            let was = then.get(&root.id);
            let before_bytes = match (was, alone.get(&root.id)) {
                (Some(sum), _) => sum.bytes(),
                (None, Some(bytes)) => *bytes,
                (None, None) => Some(0),
            };
            let after_bytes = sum.bytes();
            let grown_bytes = before_bytes
                .zip(after_bytes)
                .map(|(before, after)| signed(after) - signed(before));
            Some(SetGrowth {
                table_name: root.name.table_name.clone(),
                schema_name: root.name.schema_name.clone(),
                tables: sum.tables,
                before_bytes,
                after_bytes,
                grown_bytes,
                grown_human: grown_bytes.map(size_text::pretty_signed),
                per_day_bytes: grown_bytes.and_then(|bytes| span.per_day(bytes)),
                share_percent: grown_bytes.and_then(|bytes| span.share(bytes)),
                unknown: sum.unknown().or_else(|| was.and_then(SetSum::unknown)),
            })
        })
        .filter(|set| set.grown_bytes != Some(0))
        .collect();
    sets.sort_by(|a, b| {
        (Reverse(a.grown_bytes), &a.schema_name, &a.table_name).cmp(&(
            Reverse(b.grown_bytes),
            &b.schema_name,
            &b.table_name,
        ))
    });
    sets
}
