-- the store's own size on this server: takes ACCESS SHARE on each of its tables for a moment, reads no data.
-- Partitions that hold nothing yet do not count
select coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where n.nspname = 'plimsoll'
    and c.relkind in ('r', 'm')
    and not (c.relispartition and pg_relation_size(c.oid) = 0)
