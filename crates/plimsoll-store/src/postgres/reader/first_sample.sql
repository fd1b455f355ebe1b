-- the first sample after a time: one database's samples by key; no locks that block anybody
select
    s.id, d.name, s.sampled_at, s.kind, s.total_bytes, s.table_count, s.is_demo,
    s.method like 'import%', s.unread_count, s.tick,
    s.tick = d.last_tick
from plimsoll.samples as s
join plimsoll.databases as d on d.instance_id = $1 and d.database_id = $2
where s.instance_id = $1 and s.database_id = $2 and s.sampled_at > $3
order by s.tick asc
limit 1
