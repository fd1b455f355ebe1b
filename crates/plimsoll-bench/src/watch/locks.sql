-- locks that sessions of ours hold on relations that users made; needs no lock itself
select count(*)
from pg_locks l
join pg_stat_activity a on a.pid = l.pid
where a.application_name = 'plimsoll' and l.locktype = 'relation' and l.relation >= 16384
    and l.database = (select d.oid from pg_database d where d.datname = current_database())
