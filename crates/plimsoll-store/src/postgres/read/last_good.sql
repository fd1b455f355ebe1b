-- reading the last measured size of every part: reads one database's relations by key; no locks that
-- block anybody. A part is as old as the newest sample, unless that one could not measure it.
select p.oid, p.bytes, coalesce(u.last_good_at, s.sampled_at)
from plimsoll.relations as r
cross join lateral (
    values
        ('h', r.oid, r.heap_bytes),
        ('t', r.toast_oid, r.toast_bytes),
        ('x', r.toast_index_oid, r.toast_index_bytes)
) as p (part, oid, bytes)
join plimsoll.databases as d on d.instance_id = $1 and d.database_id = $2
join plimsoll.samples as s
    on s.instance_id = $1 and s.database_id = $2 and s.tick = d.last_tick
left join plimsoll.unread as u
    on u.instance_id = $1
    and u.database_id = $2
    and u.relation_id = r.relation_id
    and u.part = p.part
    and u.until_tick is null
where r.instance_id = $1
    and r.database_id = $2
    and r.gone_tick is null
    and p.bytes is not null
    and p.oid <> 0
