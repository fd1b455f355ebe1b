-- points of tables, many in one statement
insert into table_values (
    instance_id, database_id, relation_id, tick, heap_bytes, toast_bytes, toast_index_bytes, index_bytes, row_count
)
select
    ?1, ?2,
    value ->> 'relation',
    value ->> 'tick',
    value ->> 'heap_bytes',
    value ->> 'toast_bytes',
    value ->> 'toast_index_bytes',
    value ->> 'index_bytes',
    value ->> 'row_count'
from json_each(?3)
where true
on conflict do nothing
