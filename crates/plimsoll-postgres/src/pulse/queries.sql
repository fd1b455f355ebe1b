-- what sessions run, where the role may see that: no locks; reads the server's shared memory
select a.pid, a.query
from pg_stat_activity a
where a.pid = any ($1)
