-- the partitions of some tables: reads the catalog; no locks that block anybody
select p.relname::text, c.relname::text
from pg_inherits as i
join pg_class as p on p.oid = i.inhparent
join pg_namespace as n on n.oid = p.relnamespace
join pg_class as c on c.oid = i.inhrelid
where n.nspname = 'plimsoll' and p.relname = any ($1::text[])
order by c.relname
