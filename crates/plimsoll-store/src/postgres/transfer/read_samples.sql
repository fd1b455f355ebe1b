-- a database's samples, oldest first: one walk along the key
select json_build_object(
    'row', 'sample',
    'tick', s.tick,
    'id', s.id,
    'kind', s.kind,
    'sampled_at', s.sampled_at,
    'scheduled_for', s.scheduled_for,
    'took_ms', s.took_ms,
    'method', s.method,
    'full_sweep_at', s.full_sweep_at,
    'total_bytes', s.total_bytes,
    'attributed_bytes', s.attributed_bytes,
    'estimated_bytes', s.estimated_bytes,
    'unattributed_bytes', s.unattributed_bytes,
    'unmeasured_bytes', s.unmeasured_bytes,
    'table_count', s.table_count,
    'unread_count', s.unread_count,
    'is_demo', s.is_demo
)::text
from plimsoll.samples as s
where s.instance_id = $1 and s.database_id = $2
order by s.tick
