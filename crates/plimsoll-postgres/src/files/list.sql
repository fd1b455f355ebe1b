-- listing data files with their sizes: no locks; the server reads one folder and stats each of its files.
-- A file that goes away in between has no size. The last row has no name: the locks on user relations
-- that this transaction holds.
select
    f,
    (pg_stat_file($1::text || '/' || f, true)).size
from pg_ls_dir($1::text, true, false) f
union all
select null, (
    select count(*)
    from pg_locks l
    where l.pid = pg_backend_pid() and l.locktype = 'relation' and l.relation >= 16384
)
