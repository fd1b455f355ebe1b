-- events in their order, unless they are there
insert into plimsoll.events (
    instance_id, database_id, relation_id, kind, tick, from_at, to_at, bytes_before, bytes_after, detail
)
select
    $1::integer, $2::integer,
    r.relation,
    r.kind,
    r.tick,
    r.from_at,
    r.to_at,
    r.bytes_before,
    r.bytes_after,
    r.detail
from rows from (
    json_to_recordset($3::text::json) as (relation integer, kind text, tick bigint, from_at timestamptz, to_at timestamptz, bytes_before bigint, bytes_after bigint, detail text)
) with ordinality as r (
    relation, kind, tick, from_at, to_at, bytes_before, bytes_after, detail, place
)
where not exists (
    select from plimsoll.events as e
    where e.instance_id = $1
        and e.database_id = $2
        and e.tick = r.tick
        and e.kind = r.kind
        and (e.relation_id, e.from_at, e.to_at, e.bytes_before, e.bytes_after, e.detail)
        is not distinct from (r.relation, r.from_at, r.to_at, r.bytes_before, r.bytes_after, r.detail)
)
order by r.place
