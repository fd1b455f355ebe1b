-- the store's tables that Citus knows: reads its catalog; no locks that block anybody
select c.relname::text
from pg_dist_partition as p
join pg_class as c on c.oid = p.logicalrelid
join pg_namespace as n on n.oid = c.relnamespace
where n.nspname = 'plimsoll'
