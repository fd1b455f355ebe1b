-- what could not be measured: few rows
select json_object(
    'row', 'unread',
    'relation', u.relation_id,
    'part', u.part,
    'from_tick', u.from_tick,
    'until_tick', u.until_tick,
    'status', u.status,
    'last_good_at', strftime('%Y-%m-%dT%H:%M:%fZ', u.last_good_at / 1000.0, 'unixepoch')
)
from unread as u
where u.instance_id = ?1 and u.database_id = ?2
order by u.relation_id, u.part, u.from_tick
