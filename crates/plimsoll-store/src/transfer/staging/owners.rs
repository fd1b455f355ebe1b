//! Tells indexes from tables where another tool kept both alike.

use std::collections::{HashMap, HashSet};

use plimsoll_core::snapshot::Snapshot;

use crate::portable::row::RelationRow;

/// A relation's schema and name.
type Name = (String, String);

/// What is known of a database's relations: which are tables, and of which table each index is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Relations {
    tables: HashSet<Name>,
    indexes: HashMap<Name, String>,
}

impl Relations {
    /// As the store knows them.
    pub(in crate::transfer) fn of_store(known: &[RelationRow]) -> Self {
        let tables: HashMap<i32, &RelationRow> = known
            .iter()
            .filter(|relation| !relation.is_index())
            .map(|relation| (relation.relation, relation))
            .collect();
        let index = |index: &RelationRow| {
            let table = tables.get(&index.owner?)?;
            let name = (table.schema.clone(), index.name.clone());
            Some((name, table.name.clone()))
        };
        Self {
            indexes: known.iter().filter_map(index).collect(),
            tables: tables
                .values()
                .map(|table| (table.schema.clone(), table.name.clone()))
                .collect(),
        }
    }

    /// As a visit saw them.
    pub fn of_snapshot(snapshot: &Snapshot) -> Self {
        let mut relations = Self::default();
        for table in &snapshot.tables {
            let name = |name: &str| (table.schema_name.to_string(), name.to_owned());
            relations.tables.insert(name(&table.table_name));
            for index in &table.indexes {
                let owner = table.table_name.to_string();
                relations.indexes.insert(name(&index.index_name), owner);
            }
        }
        relations
    }

    pub(in crate::transfer) fn has_indexes(&self) -> bool {
        !self.indexes.is_empty()
    }
}

/// Which relations are indexes, and of which table: as is known, or else as names tell.
pub(super) fn owners<'a>(
    seen: &'a [(String, String, Option<i64>)],
    known: &'a Relations,
) -> HashMap<(&'a str, &'a str), &'a str> {
    let known_tables: HashSet<(&str, &str)> = known
        .tables
        .iter()
        .map(|(schema, name)| (&**schema, &**name))
        .collect();
    let known_indexes: HashMap<(&str, &str), &str> = known
        .indexes
        .iter()
        .map(|((schema, name), owner)| ((&**schema, &**name), &**owner))
        .collect();
    let names: HashSet<(&str, &str)> = seen
        .iter()
        .map(|(schema, name, _)| (&**schema, &**name))
        .collect();
    let mut owners = HashMap::new();
    for &(schema, name) in &names {
        if known_tables.contains(&(schema, name)) {
            continue;
        }
        let owner = known_indexes
            .get(&(schema, name))
            .copied()
            .or_else(|| owner_by_name(name, |table| names.contains(&(schema, table))));
        if let Some(owner) = owner {
            owners.insert((schema, name), owner);
        }
    }
    // what looks like an index of an index is a table
    let odd: Vec<_> = owners
        .iter()
        .filter(|((schema, _), owner)| owners.contains_key(&(*schema, **owner)))
        .map(|(name, _)| *name)
        .collect();
    for name in odd {
        owners.remove(&name);
    }
    owners
}

/// The table of an index that is named as PostgreSQL or Rails names them: the longest that fits.
fn owner_by_name(name: &str, is_there: impl Fn(&str) -> bool) -> Option<&str> {
    let ends = |text: &'static str| {
        name.trim_end_matches(|c: char| c.is_ascii_digit())
            .ends_with(text)
    };
    let (rest, separator) = if let Some(rest) = name.strip_prefix("index_") {
        (rest, "_on_")
    } else if ends("_pkey") || ends("_idx") {
        (name, "_")
    } else {
        return None;
    };
    rest.match_indices(separator)
        .map(|(at, _)| &rest[..at])
        .filter(|table| is_there(table))
        .last()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_found_by_its_name_only_where_its_table_is_there() {
        let tables = ["users", "user", "user_events", "api"];
        for (name, expected) in [
            ("users_pkey", Some("users")),
            ("user_events_pkey", Some("user_events")),
            ("user_events_user_id_idx", Some("user_events")),
            ("user_events_user_id_idx1", Some("user_events")),
            ("index_users_on_email", Some("users")),
            ("index_user_events_on_a_and_b", Some("user_events")),
            ("index_orders_on_a", None),
            ("orders_pkey", None),
            ("api_user_key", None),
            ("users", None),
        ] {
            let is_there = |table: &str| tables.contains(&table);
            assert_eq!(owner_by_name(name, is_there), expected, "{name}");
        }
    }
}
