-- looking for the sample of a scheduled time: one row by key, no locks
select s.id, d.name, s.sampled_at, s.kind, s.total_bytes, s.table_count, s.is_demo,
    s.method like 'import%', s.unread_count
from plimsoll.samples as s
join plimsoll.databases as d on d.instance_id = $1 and d.database_id = $2
where s.instance_id = $1 and s.database_id = $2 and s.kind = $3 and s.scheduled_for = $4
