-- keeping what a database is: one row by key
insert into databases (
    instance_id, database_id, name, oid, system_identifier, timeline, in_recovery, server_version_num,
    stats_reset_at, last_tick, next_relation_id
)
select
    i.instance_id,
    coalesce(
        (select d.database_id from databases as d where d.instance_id = i.instance_id and d.name = :name),
        (select max(d.database_id) from databases as d where d.instance_id = i.instance_id) + 1,
        1
    ),
    :name, :oid, :system_identifier, :timeline, :in_recovery, :server_version_num, :stats_reset_at,
    :last_tick, :next_relation_id
from instances as i
where i.name = :instance
on conflict (instance_id, database_id) do update set
    oid = excluded.oid,
    system_identifier = excluded.system_identifier,
    timeline = excluded.timeline,
    in_recovery = excluded.in_recovery,
    server_version_num = excluded.server_version_num,
    stats_reset_at = excluded.stats_reset_at,
    last_tick = excluded.last_tick,
    next_relation_id = excluded.next_relation_id
