-- keeping what relations are now: by key, row locks on what changed
update plimsoll.relations as r set
    oid = n.oid,
    kind = n.kind,
    owner_id = n.owner_id,
    schema_name = n.schema_name,
    relation_name = n.relation_name,
    table_key = n.table_key,
    parent_id = n.parent_id,
    filenode = n.filenode,
    toast_oid = n.toast_oid,
    toast_filenode = n.toast_filenode,
    toast_index_oid = n.toast_index_oid,
    toast_index_filenode = n.toast_index_filenode,
    heap_bytes = n.heap_bytes,
    toast_bytes = n.toast_bytes,
    toast_index_bytes = n.toast_index_bytes,
    index_bytes = n.index_bytes,
    row_count = n.row_count
from unnest(
    $3::integer[], $4::oid[], $5::text[], $6::integer[], $7::text[], $8::text[], $9::text[],
    $10::integer[], $11::oid[], $12::oid[], $13::oid[], $14::oid[], $15::oid[], $16::bigint[],
    $17::bigint[], $18::bigint[], $19::bigint[], $20::bigint[]
) as n (
    relation_id, oid, kind, owner_id, schema_name, relation_name, table_key, parent_id, filenode,
    toast_oid, toast_filenode, toast_index_oid, toast_index_filenode, heap_bytes, toast_bytes,
    toast_index_bytes, index_bytes, row_count
)
where r.instance_id = $1 and r.database_id = $2 and r.relation_id = n.relation_id
