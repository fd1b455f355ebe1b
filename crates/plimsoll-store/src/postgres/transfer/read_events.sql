-- what happened, in the order in which it was noticed: few rows
select json_build_object(
    'row', 'event',
    'relation', e.relation_id,
    'kind', e.kind,
    'tick', e.tick,
    'from_at', e.from_at,
    'to_at', e.to_at,
    'bytes_before', e.bytes_before,
    'bytes_after', e.bytes_after,
    'detail', e.detail
)::text
from plimsoll.events as e
where e.instance_id = $1 and e.database_id = $2
order by e.tick, e.event_id
