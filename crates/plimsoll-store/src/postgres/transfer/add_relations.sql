-- new relations, many in one statement: row locks on what it adds
insert into plimsoll.relations (
    instance_id, database_id, relation_id, oid, kind, owner_id, schema_name, relation_name, table_key, parent_id, filenode, toast_oid, toast_filenode, toast_index_oid, toast_index_filenode, first_tick, gone_tick, heap_bytes, toast_bytes, toast_index_bytes, index_bytes, row_count
)
select
    $1::integer, $2::integer,
    r.relation,
    r.oid,
    r.kind,
    r.owner,
    r.schema,
    r.name,
    r.table_key,
    r.parent,
    r.filenode,
    r.toast_oid,
    r.toast_filenode,
    r.toast_index_oid,
    r.toast_index_filenode,
    r.first_tick,
    r.gone_tick,
    r.heap_bytes,
    r.toast_bytes,
    r.toast_index_bytes,
    r.index_bytes,
    r.row_count
from json_to_recordset($3::text::json) as r (
    relation integer, oid oid, kind text, owner integer, schema text, name text, table_key text, parent integer, filenode oid, toast_oid oid, toast_filenode oid, toast_index_oid oid, toast_index_filenode oid, first_tick bigint, gone_tick bigint, heap_bytes bigint, toast_bytes bigint, toast_index_bytes bigint, index_bytes bigint, row_count bigint
)
