-- reading what the last visit saw of the server: two rows by key, no locks
select d.oid, d.system_identifier, d.timeline, d.in_recovery, d.stats_reset_at, s.sampled_at, s.total_bytes
from plimsoll.databases as d
join plimsoll.samples as s
    on s.instance_id = $1 and s.database_id = $2 and s.tick = d.last_tick
where d.instance_id = $1 and d.database_id = $2
