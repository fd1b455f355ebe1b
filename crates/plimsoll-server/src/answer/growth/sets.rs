//! Partition sets and inheritance trees, each as one.

use std::cmp::Reverse;
use std::collections::HashMap;

use plimsoll_core::change::RelationId;
use plimsoll_core::size_text;
use plimsoll_store::{State, TableState};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Span, signed};

/// What a set grew by.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SetGrowth {
    /// Its root's name, raw.
    pub table_name: String,
    /// The root's schema's name, raw.
    pub schema_name: String,
    /// How many tables with bytes belong to it now.
    pub tables: u64,
    /// Bytes of all of them before.
    pub before_bytes: u64,
    /// Bytes of all of them after.
    pub after_bytes: u64,
    /// What it grew by; negative where it shrank.
    pub grown_bytes: i64,
    /// `grown_bytes` with its sign, as `pg_size_pretty` prints it.
    pub grown_human: String,
    /// The same a day; null for less than an hour.
    pub per_day_bytes: Option<i64>,
    /// In percent of what the database grew by; null unless that grew.
    pub share_percent: Option<f64>,
}

/// The sets of the later state that changed in size, what grew most first.
pub(super) fn sets(before: &State, after: &State, span: &Span) -> Vec<SetGrowth> {
    let then = sums(before);
    let now = sums(after);
    let names: HashMap<RelationId, &TableState> =
        after.tables.iter().map(|table| (table.id, table)).collect();
    let mut sets: Vec<_> = now
        .iter()
        .filter_map(|(root, sum)| {
            let name = &names.get(root)?.name;
            let before_bytes = then.get(root).map_or(0, |sum| sum.bytes);
            let grown_bytes = signed(sum.bytes) - signed(before_bytes);
            Some(SetGrowth {
                table_name: name.table_name.clone(),
                schema_name: name.schema_name.clone(),
                tables: sum.tables,
                before_bytes,
                after_bytes: sum.bytes,
                grown_bytes,
                grown_human: size_text::pretty_signed(grown_bytes),
                per_day_bytes: span.per_day(grown_bytes),
                share_percent: span.share(grown_bytes),
            })
        })
        .filter(|set| set.grown_bytes != 0)
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

#[derive(Default)]
struct Sum {
    bytes: u64,
    tables: u64,
}

/// By root, what belongs to it, itself included; only roots with something below them.
fn sums(state: &State) -> HashMap<RelationId, Sum> {
    let parents: HashMap<RelationId, RelationId> = state
        .tables
        .iter()
        .filter_map(|table| Some((table.id, table.parent?)))
        .collect();
    let root = |mut id: RelationId| {
        // PostgreSQL allows no circle; a damaged store might.
        for _ in 0..64 {
            match parents.get(&id) {
                Some(parent) => id = *parent,
                None => break,
            }
        }
        id
    };
    let roots: std::collections::HashSet<_> = parents.keys().map(|child| root(*child)).collect();
    let mut sums: HashMap<RelationId, Sum> = HashMap::new();
    for table in &state.tables {
        let root = root(table.id);
        if roots.contains(&root) {
            let sum = sums.entry(root).or_default();
            sum.bytes += table.sizes.total_bytes().unwrap_or(0);
            sum.tables += u64::from(table.kind != plimsoll_core::snapshot::TableKind::Partitioned);
        }
    }
    sums
}
