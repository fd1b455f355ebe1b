-- a database's relations in the order of their numbers
select json_build_object(
    'row', 'relation',
    'relation', r.relation_id,
    'oid', r.oid::bigint,
    'kind', r.kind,
    'owner', r.owner_id,
    'schema', r.schema_name,
    'name', r.relation_name,
    'table_key', r.table_key,
    'parent', r.parent_id,
    'filenode', r.filenode::bigint,
    'toast_oid', r.toast_oid::bigint,
    'toast_filenode', r.toast_filenode::bigint,
    'toast_index_oid', r.toast_index_oid::bigint,
    'toast_index_filenode', r.toast_index_filenode::bigint,
    'first_tick', r.first_tick,
    'gone_tick', r.gone_tick,
    'heap_bytes', r.heap_bytes,
    'toast_bytes', r.toast_bytes,
    'toast_index_bytes', r.toast_index_bytes,
    'index_bytes', r.index_bytes,
    'row_count', r.row_count
)::text
from plimsoll.relations as r
where r.instance_id = $1 and r.database_id = $2
order by r.relation_id
