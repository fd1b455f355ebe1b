-- what relations were called: few rows
insert into plimsoll.former_names (
    instance_id, database_id, relation_id, until_tick, schema_name, relation_name, table_key, parent_id
)
select
    $1::integer, $2::integer,
    r.relation,
    r.until_tick,
    r.schema,
    r.name,
    r.table_key,
    r.parent
from json_to_recordset($3::text::json) as r (
    relation integer, until_tick bigint, schema text, name text, table_key text, parent integer
)
on conflict do nothing
