//! A relation of the input, and the row that it becomes.

use plimsoll_core::change::RelationKind;
use plimsoll_core::snapshot::TableKind;

use crate::sample::odd_key;
use crate::transfer::row::{RelationRow, SizesRow};

/// Keys are quoted as by this major: whose sizes they were, nobody wrote down.
const MAJOR: u32 = 18;

/// A relation of the input.
#[derive(Debug)]
pub(super) struct Relation {
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) owner: Option<i32>,
    pub(super) first_tick: i64,
    pub(super) gone_tick: Option<i64>,
    pub(super) sizes: SizesRow,
}

pub(super) const NO_SIZES: SizesRow = SizesRow {
    heap_bytes: None,
    toast_bytes: None,
    toast_index_bytes: None,
    index_bytes: 0,
    row_count: None,
};

impl Relation {
    pub(super) fn row(&self, id: i32) -> RelationRow {
        let kind = match self.owner {
            Some(_) => RelationKind::Index,
            None => RelationKind::Table(TableKind::Table),
        };
        RelationRow {
            relation: id,
            oid: 0,
            kind: kind.letter().to_owned(),
            owner: self.owner,
            schema: if self.owner.is_some() {
                String::new()
            } else {
                self.schema.clone()
            },
            name: self.name.clone(),
            table_key: odd_key(kind, &self.schema, &self.name, MAJOR),
            parent: None,
            filenode: 0,
            toast_oid: None,
            toast_filenode: None,
            toast_index_oid: None,
            toast_index_filenode: None,
            first_tick: self.first_tick,
            gone_tick: self.gone_tick,
            sizes: self.sizes,
            former: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_the_newest_server() {
        let kind = RelationKind::Table(TableKind::Table);
        assert_eq!(
            odd_key(kind, "public", "Order", MAJOR).as_deref(),
            Some("\"Order\"")
        );
        assert_eq!(odd_key(kind, "public", "orders", MAJOR), None);
    }
}
