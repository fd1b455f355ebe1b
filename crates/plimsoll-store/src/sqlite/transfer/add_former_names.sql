-- what relations were called: few rows
insert into former_names (
    instance_id, database_id, relation_id, until_tick, schema_name, relation_name, table_key, parent_id
)
select
    ?1, ?2,
    value ->> 'relation',
    value ->> 'until_tick',
    value ->> 'schema',
    value ->> 'name',
    value ->> 'table_key',
    value ->> 'parent'
from json_each(?3)
where true
on conflict do nothing
