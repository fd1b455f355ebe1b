-- every point of a database's tables, along the key
select json_build_object(
    'row', 'table_value',
    'relation', v.relation_id,
    'tick', v.tick,
    'heap_bytes', v.heap_bytes,
    'toast_bytes', v.toast_bytes,
    'toast_index_bytes', v.toast_index_bytes,
    'index_bytes', v.index_bytes,
    'row_count', v.row_count
)::text
from plimsoll.table_values as v
where v.instance_id = $1 and v.database_id = $2
order by v.relation_id, v.tick
