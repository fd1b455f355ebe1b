-- keeping what a database is: one row by key
insert into plimsoll.databases (
    instance_id, database_id, name, oid, system_identifier, timeline, in_recovery, server_version_num,
    stats_reset_at, last_tick, next_relation_id
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
on conflict (instance_id, database_id) do update set
    oid = excluded.oid,
    system_identifier = excluded.system_identifier,
    timeline = excluded.timeline,
    in_recovery = excluded.in_recovery,
    server_version_num = excluded.server_version_num,
    stats_reset_at = excluded.stats_reset_at,
    last_tick = excluded.last_tick,
    next_relation_id = excluded.next_relation_id
