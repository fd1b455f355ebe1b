-- the tables that were there at a tick with their values then: one pass over the values of one database
-- up to that tick; no locks that block anybody. A look-up for each table would visit every partition
-- for each table that did not change for long.
select
    r.relation_id, v.heap_bytes, v.toast_bytes, v.toast_index_bytes, v.index_bytes, v.row_count
from plimsoll.relations as r
left join (
    select distinct on (relation_id)
        relation_id, heap_bytes, toast_bytes, toast_index_bytes, index_bytes, row_count
    from plimsoll.table_values
    where instance_id = $1 and database_id = $2 and tick <= $4
    order by relation_id, tick desc
) as v on v.relation_id = r.relation_id
where r.instance_id = $1
    and r.database_id = $2
    and r.first_tick <= $4
    and (r.gone_tick is null or r.gone_tick > $4)
    and r.owner_id is null
    and (cardinality($3::text[]) = 0 or r.kind = any ($3::text[]))
order by r.relation_id
