-- points of tables, many in one statement
insert into plimsoll.table_values (
    instance_id, database_id, relation_id, tick, heap_bytes, toast_bytes, toast_index_bytes, index_bytes, row_count
)
select
    $1::integer, $2::integer,
    r.relation,
    r.tick,
    r.heap_bytes,
    r.toast_bytes,
    r.toast_index_bytes,
    r.index_bytes,
    r.row_count
from json_to_recordset($3::text::json) as r (
    relation integer, tick bigint, heap_bytes bigint, toast_bytes bigint, toast_index_bytes bigint, index_bytes bigint, row_count bigint
)
on conflict do nothing
