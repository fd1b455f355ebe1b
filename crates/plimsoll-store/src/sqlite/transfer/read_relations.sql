-- a database's relations in the order of their numbers
select json_object(
    'row', 'relation',
    'relation', r.relation_id,
    'oid', r.oid,
    'kind', r.kind,
    'owner', r.owner_id,
    'schema', r.schema_name,
    'name', r.relation_name,
    'table_key', r.table_key,
    'parent', r.parent_id,
    'filenode', r.filenode,
    'toast_oid', r.toast_oid,
    'toast_filenode', r.toast_filenode,
    'toast_index_oid', r.toast_index_oid,
    'toast_index_filenode', r.toast_index_filenode,
    'first_tick', r.first_tick,
    'gone_tick', r.gone_tick,
    'heap_bytes', r.heap_bytes,
    'toast_bytes', r.toast_bytes,
    'toast_index_bytes', r.toast_index_bytes,
    'index_bytes', r.index_bytes,
    'row_count', r.row_count
)
from relations as r
where r.instance_id = ?1 and r.database_id = ?2
order by r.relation_id
