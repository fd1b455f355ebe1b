-- reading some present tables of a database and their indexes, with their last sizes: by key and by index, no locks
select
    relation_id, oid, kind, owner_id, schema_name, relation_name, parent_id, filenode,
    toast_oid, toast_filenode, toast_index_oid, toast_index_filenode,
    heap_bytes, toast_bytes, toast_index_bytes, index_bytes, row_count
from plimsoll.relations
where instance_id = $1 and database_id = $2 and gone_tick is null and relation_id = any ($3::integer[])
union all
select
    relation_id, oid, kind, owner_id, schema_name, relation_name, parent_id, filenode,
    toast_oid, toast_filenode, toast_index_oid, toast_index_filenode,
    heap_bytes, toast_bytes, toast_index_bytes, index_bytes, row_count
from plimsoll.relations
where instance_id = $1 and database_id = $2 and gone_tick is null and owner_id = any ($3::integer[])
