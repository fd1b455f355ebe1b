//! The sizes of indexes, where another tool kept them.

use std::collections::HashMap;

use super::out::Out;
use super::{Relation, Staging};
use crate::transfer::TransferError;
use crate::transfer::row::{IndexValueRow, Row};

const INDEX_SIZES: &str = "\
    select r.id, t.tick, s.bytes
    from relations as r
    join seen as s on s.schema = r.schema and s.relation = r.relation
    join times as t on t.at = s.at
    where r.owner is not null
    order by r.id, t.tick";

impl Staging {
    /// An index's first tick and last size.
    pub(super) fn index_sizes(
        &self,
        relations: &mut HashMap<i32, Relation>,
    ) -> Result<(), TransferError> {
        let mut statement = self.sorted.prepare(INDEX_SIZES)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let id: i32 = row.get(0)?;
            let owner = relations.get(&id).and_then(|index| index.owner);
            let owner_first = owner
                .and_then(|owner| relations.get(&owner))
                .map_or(i64::MAX, |table| table.first_tick);
            let tick: i64 = row.get(1)?;
            if let Some(index) = relations.get_mut(&id)
                && tick >= owner_first
            {
                index.first_tick = index.first_tick.min(tick);
                index.sizes.heap_bytes = Some(row.get(2)?);
            }
        }
        Ok(())
    }

    pub(super) fn index_values(
        &self,
        relations: &HashMap<i32, Relation>,
        out: &mut Out<'_>,
    ) -> Result<(), TransferError> {
        let mut statement = self.sorted.prepare(INDEX_SIZES)?;
        let mut rows = statement.query([])?;
        let mut last: Option<(i32, i64)> = None;
        while let Some(row) = rows.next()? {
            let (relation, tick, bytes): (i32, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let is_shown = relations
                .get(&relation)
                .is_some_and(|index| tick >= index.first_tick);
            if is_shown && last != Some((relation, bytes)) {
                last = Some((relation, bytes));
                out.send(Row::IndexValue(IndexValueRow {
                    relation,
                    tick,
                    bytes,
                }));
            }
        }
        Ok(())
    }
}
