-- looking for the sample of a scheduled time: one row by key, no locks
select s.id, i.name, d.name, s.sampled_at, s.kind, s.total_bytes, s.table_count, s.is_demo
from plimsoll.samples as s
join plimsoll.databases as d on d.instance_id = s.instance_id and d.database_id = s.database_id
join plimsoll.instances as i on i.instance_id = s.instance_id
where s.instance_id = $1 and s.database_id = $2 and s.kind = $3 and s.scheduled_for = $4
