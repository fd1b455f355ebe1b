-- relations become what a newer history says of them, by key
update relations as o set
    oid = n.oid,
    kind = n.kind,
    owner_id = n.owner,
    schema_name = n.schema,
    relation_name = n.name,
    table_key = n.table_key,
    parent_id = n.parent,
    filenode = n.filenode,
    toast_oid = n.toast_oid,
    toast_filenode = n.toast_filenode,
    toast_index_oid = n.toast_index_oid,
    toast_index_filenode = n.toast_index_filenode,
    gone_tick = n.gone_tick,
    heap_bytes = n.heap_bytes,
    toast_bytes = n.toast_bytes,
    toast_index_bytes = n.toast_index_bytes,
    index_bytes = n.index_bytes,
    row_count = n.row_count
from (
    select value ->> 'relation' as relation,
        value ->> 'oid' as oid,
        value ->> 'kind' as kind,
        value ->> 'owner' as owner,
        value ->> 'schema' as schema,
        value ->> 'name' as name,
        value ->> 'table_key' as table_key,
        value ->> 'parent' as parent,
        value ->> 'filenode' as filenode,
        value ->> 'toast_oid' as toast_oid,
        value ->> 'toast_filenode' as toast_filenode,
        value ->> 'toast_index_oid' as toast_index_oid,
        value ->> 'toast_index_filenode' as toast_index_filenode,
        value ->> 'first_tick' as first_tick,
        value ->> 'gone_tick' as gone_tick,
        value ->> 'heap_bytes' as heap_bytes,
        value ->> 'toast_bytes' as toast_bytes,
        value ->> 'toast_index_bytes' as toast_index_bytes,
        value ->> 'index_bytes' as index_bytes,
        value ->> 'row_count' as row_count
    from json_each(?3)
) as n
where o.instance_id = ?1 and o.database_id = ?2 and o.relation_id = n.relation
