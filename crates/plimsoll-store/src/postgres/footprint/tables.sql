-- the store's tables that hold rows, each with its primary key, quoted, the smallest first: reads the
-- catalog and takes ACCESS SHARE on each of them for a moment. The jobs' are left alone, since claiming
-- one must never wait
select
    format('%I.%I', n.nspname, c.relname),
    format('%I', k.relname)
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
join pg_index as i on i.indrelid = c.oid and i.indisprimary
join pg_class as k on k.oid = i.indexrelid
where n.nspname = 'plimsoll' and c.relkind = 'r' and c.relname not in ('jobs', 'migrations')
order by pg_total_relation_size(c.oid), c.relname
