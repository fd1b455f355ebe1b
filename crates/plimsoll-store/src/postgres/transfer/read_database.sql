-- a database as its newest sample saw it: one row by key
select json_build_object(
    'row', 'database',
    'database', d.name,
    'oid', d.oid::bigint,
    'system_identifier', d.system_identifier,
    'timeline', d.timeline,
    'in_recovery', d.in_recovery,
    'server_version_num', d.server_version_num,
    'stats_reset_at', d.stats_reset_at,
    'last_tick', d.last_tick,
    'next_relation', d.next_relation_id,
    'format', 1,
    'instance', $3::text,
    'first_tick', (
        select min(s.tick) from plimsoll.samples as s
        where s.instance_id = $1 and s.database_id = $2
    )
)::text
from plimsoll.databases as d
where d.instance_id = $1 and d.database_id = $2
    and d.last_tick is not null
