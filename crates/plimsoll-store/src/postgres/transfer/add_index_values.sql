-- points of indexes, many in one statement
insert into plimsoll.index_values (
    instance_id, database_id, relation_id, tick, bytes
)
select
    $1::integer, $2::integer,
    r.relation,
    r.tick,
    r.bytes
from json_to_recordset($3::text::json) as r (
    relation integer, tick bigint, bytes bigint
)
on conflict do nothing
