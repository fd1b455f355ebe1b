-- a database's samples, oldest first: one walk along the key
select json_object(
    'row', 'sample',
    'tick', s.tick,
    'id', s.id,
    'kind', s.kind,
    'sampled_at', strftime('%Y-%m-%dT%H:%M:%fZ', s.sampled_at / 1000.0, 'unixepoch'),
    'scheduled_for', strftime('%Y-%m-%dT%H:%M:%fZ', s.scheduled_for / 1000.0, 'unixepoch'),
    'took_ms', s.took_ms,
    'method', s.method,
    'full_sweep_at', strftime('%Y-%m-%dT%H:%M:%fZ', s.full_sweep_at / 1000.0, 'unixepoch'),
    'total_bytes', s.total_bytes,
    'attributed_bytes', s.attributed_bytes,
    'estimated_bytes', s.estimated_bytes,
    'unattributed_bytes', s.unattributed_bytes,
    'unmeasured_bytes', s.unmeasured_bytes,
    'table_count', s.table_count,
    'unread_count', s.unread_count,
    'is_demo', json(iif(s.is_demo, 'true', 'false'))
)
from samples as s
where s.instance_id = ?1 and s.database_id = ?2
order by s.tick
