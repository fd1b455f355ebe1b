-- what could not be measured: few rows
insert into plimsoll.unread (
    instance_id, database_id, relation_id, part, from_tick, until_tick, status, last_good_at
)
select
    $1::integer, $2::integer,
    r.relation,
    r.part,
    r.from_tick,
    r.until_tick,
    r.status,
    r.last_good_at
from json_to_recordset($3::text::json) as r (
    relation integer, part text, from_tick bigint, until_tick bigint, status text, last_good_at timestamptz
)
on conflict do nothing
