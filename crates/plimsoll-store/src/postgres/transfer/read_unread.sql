-- what could not be measured: few rows
select json_build_object(
    'row', 'unread',
    'relation', u.relation_id,
    'part', u.part,
    'from_tick', u.from_tick,
    'until_tick', u.until_tick,
    'status', u.status,
    'last_good_at', u.last_good_at
)::text
from plimsoll.unread as u
where u.instance_id = $1 and u.database_id = $2
order by u.relation_id, u.part collate "C", u.from_tick
