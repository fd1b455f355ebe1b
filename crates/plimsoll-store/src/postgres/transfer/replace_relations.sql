-- relations become what a newer history says of them, by key: row locks on them
update plimsoll.relations as o set
    oid = r.oid,
    kind = r.kind,
    owner_id = r.owner,
    schema_name = r.schema,
    relation_name = r.name,
    table_key = r.table_key,
    parent_id = r.parent,
    filenode = r.filenode,
    toast_oid = r.toast_oid,
    toast_filenode = r.toast_filenode,
    toast_index_oid = r.toast_index_oid,
    toast_index_filenode = r.toast_index_filenode,
    gone_tick = r.gone_tick,
    heap_bytes = r.heap_bytes,
    toast_bytes = r.toast_bytes,
    toast_index_bytes = r.toast_index_bytes,
    index_bytes = r.index_bytes,
    row_count = r.row_count
from json_to_recordset($3::text::json) as r (
    relation integer, oid oid, kind text, owner integer, schema text, name text, table_key text, parent integer, filenode oid, toast_oid oid, toast_filenode oid, toast_index_oid oid, toast_index_filenode oid, first_tick bigint, gone_tick bigint, heap_bytes bigint, toast_bytes bigint, toast_index_bytes bigint, index_bytes bigint, row_count bigint
)
where o.instance_id = $1 and o.database_id = $2 and o.relation_id = r.relation
