-- a database's relations in the order of their numbers, with what they were called before
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
    'row_count', r.row_count,
    'former', json((
        select json_group_array(json_object(
            'until_tick', f.until_tick, 'schema', f.schema_name, 'name', f.relation_name, 'table_key', f.table_key, 'parent', f.parent_id
        ) order by f.until_tick)
        from former_names as f
        where f.instance_id = r.instance_id and f.database_id = r.database_id
            and f.relation_id = r.relation_id
    ))
)
from relations as r
where r.instance_id = ?1 and r.database_id = ?2
order by r.relation_id
