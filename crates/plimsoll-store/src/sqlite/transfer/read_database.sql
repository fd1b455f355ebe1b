-- a database as its newest sample saw it: one row by key
select json_object(
    'row', 'database',
    'database', d.name,
    'oid', d.oid,
    'system_identifier', d.system_identifier,
    'timeline', d.timeline,
    'in_recovery', json(iif(d.in_recovery, 'true', 'false')),
    'server_version_num', d.server_version_num,
    'stats_reset_at', strftime('%Y-%m-%dT%H:%M:%fZ', d.stats_reset_at / 1000.0, 'unixepoch'),
    'last_tick', d.last_tick,
    'next_relation', d.next_relation_id,
    'format', 1,
    'instance', i.name,
    'first_tick', (
        select min(s.tick) from samples as s
        where s.instance_id = d.instance_id and s.database_id = d.database_id
    )
)
from databases as d
join instances as i on i.instance_id = d.instance_id
where d.instance_id = ?1 and d.database_id = ?2
    and d.last_tick is not null
