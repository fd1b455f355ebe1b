-- the store's tables that hold rows, quoted: reads the catalog; no locks that block anybody. The jobs'
-- are left alone, since claiming one must never wait
select format('%I.%I', n.nspname, c.relname)
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where n.nspname = 'plimsoll' and c.relkind = 'r' and c.relname not in ('jobs', 'migrations')
order by c.relname
