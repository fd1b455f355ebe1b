-- keeping what a database is: one row by key
insert into plimsoll.databases (
    instance_id, database_id, name, oid, system_identifier, timeline, in_recovery, server_version_num,
    stats_reset_at, last_tick, next_relation_id
)
select
    i.instance_id,
    coalesce(
        (select d.database_id from plimsoll.databases as d where d.instance_id = i.instance_id and d.name = $2),
        (select max(d.database_id) from plimsoll.databases as d where d.instance_id = i.instance_id) + 1,
        1
    ),
    $2::text, $3::oid, $4::text, $5::bigint, $6::boolean, $7::integer, $8::timestamptz,
    $9::bigint, $10::integer
from plimsoll.instances as i
where i.name = $1
on conflict (instance_id, database_id) do update set
    oid = excluded.oid,
    system_identifier = excluded.system_identifier,
    timeline = excluded.timeline,
    in_recovery = excluded.in_recovery,
    server_version_num = excluded.server_version_num,
    stats_reset_at = excluded.stats_reset_at,
    last_tick = excluded.last_tick,
    next_relation_id = excluded.next_relation_id
