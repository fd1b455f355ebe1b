-- keeping what a database is now: one row by key
insert into plimsoll.databases as d (
    instance_id, database_id, name, oid, system_identifier, timeline, in_recovery,
    server_version_num, stats_reset_at, last_tick, next_relation_id
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
on conflict (instance_id, database_id) do update set
    name = excluded.name,
    oid = excluded.oid,
    system_identifier = coalesce(excluded.system_identifier, d.system_identifier),
    timeline = coalesce(excluded.timeline, d.timeline),
    in_recovery = excluded.in_recovery,
    server_version_num = excluded.server_version_num,
    -- a restored database counts anew, and may not say yet since when
    stats_reset_at = case when d.oid = excluded.oid
        then coalesce(excluded.stats_reset_at, d.stats_reset_at) else excluded.stats_reset_at end,
    last_tick = excluded.last_tick,
    next_relation_id = excluded.next_relation_id
