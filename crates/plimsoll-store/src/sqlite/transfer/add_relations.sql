-- new relations, many in one statement: row locks on what it adds
insert into relations (
    instance_id, database_id, relation_id, oid, kind, owner_id, schema_name, relation_name, table_key, parent_id, filenode, toast_oid, toast_filenode, toast_index_oid, toast_index_filenode, first_tick, gone_tick, heap_bytes, toast_bytes, toast_index_bytes, index_bytes, row_count
)
select
    ?1, ?2,
    value ->> 'relation',
    value ->> 'oid',
    value ->> 'kind',
    value ->> 'owner',
    value ->> 'schema',
    value ->> 'name',
    value ->> 'table_key',
    value ->> 'parent',
    value ->> 'filenode',
    value ->> 'toast_oid',
    value ->> 'toast_filenode',
    value ->> 'toast_index_oid',
    value ->> 'toast_index_filenode',
    value ->> 'first_tick',
    value ->> 'gone_tick',
    value ->> 'heap_bytes',
    value ->> 'toast_bytes',
    value ->> 'toast_index_bytes',
    value ->> 'index_bytes',
    value ->> 'row_count'
from json_each(?3)
where true
