//! Which tables of a snapshot or sample are asked about: all, those of a schema, or one with all below it.

use std::collections::HashSet;
use std::hash::Hash;

use plimsoll_store::TableName;

use super::tree::{Node, descendants};
use super::{Unknown, interpretations};

/// Tells the tables that are asked about from the others.
#[derive(Debug, Clone, Default)]
pub struct TableFilter<K> {
    ids: Option<HashSet<K>>,
    schema: Option<String>,
}

impl<K: Copy + Eq + Hash> TableFilter<K> {
    /// Looks the names up among the tables, each of which is given with its schema's name and its own.
    pub fn find<'a, N>(
        table: Option<&TableName>,
        schema: Option<&str>,
        tables: impl Fn() -> N,
    ) -> Result<Self, Unknown>
    where
        N: Iterator<Item = (Node<K>, &'a str, &'a str)>,
    {
        let ids = match table {
            None => None,
            Some(name) => {
                let has_it = |(_, schema, table): &(Node<K>, &str, &str)| {
                    *schema == name.schema_name && *table == name.table_name
                };
                let (root, ..) = tables()
                    .find(has_it)
                    .ok_or_else(|| Unknown::Table(name.clone()))?;
                Some(descendants(root.id, tables().map(|(node, ..)| node)))
            }
        };
        let schema = match schema {
            None => None,
            Some(given) => {
                let is_there = |name: &String| tables().any(|(_, schema, _)| schema == name);
                let found = interpretations(given).find(is_there);
                Some(found.ok_or_else(|| Unknown::Schema(given.to_owned()))?)
            }
        };
        Ok(Self { ids, schema })
    }

    /// Whether a table of this schema is one of them.
    pub fn includes(&self, id: K, schema: &str) -> bool {
        self.ids.as_ref().is_none_or(|ids| ids.contains(&id))
            && self.schema.as_ref().is_none_or(|only| only == schema)
    }
}
