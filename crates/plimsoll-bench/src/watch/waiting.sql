-- sessions that wait for a lock behind one of ours, and behind which
select a.pid, b.pid
from pg_stat_activity a
cross join unnest(pg_blocking_pids(a.pid)) x (pid)
join pg_stat_activity b on b.pid = x.pid
where a.wait_event_type = 'Lock' and a.application_name <> 'plimsoll' and b.application_name = 'plimsoll'
