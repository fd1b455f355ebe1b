-- the store's own size: takes ACCESS SHARE on each of its tables for a moment, reads no data
select coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where n.nspname = 'plimsoll' and c.relkind in ('r', 'm')
