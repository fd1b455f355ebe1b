-- what happened, in the order in which it was noticed: few rows
select json_object(
    'row', 'event',
    'relation', e.relation_id,
    'kind', e.kind,
    'tick', e.tick,
    'from_at', strftime('%Y-%m-%dT%H:%M:%fZ', e.from_at / 1000.0, 'unixepoch'),
    'to_at', strftime('%Y-%m-%dT%H:%M:%fZ', e.to_at / 1000.0, 'unixepoch'),
    'bytes_before', e.bytes_before,
    'bytes_after', e.bytes_after,
    'detail', e.detail
)
from events as e
where e.instance_id = ?1 and e.database_id = ?2
order by e.tick, e.event_id
