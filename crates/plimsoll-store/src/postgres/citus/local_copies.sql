-- distributed tables of which the coordinator still holds what they held before they were distributed: reads
-- the catalog and takes ACCESS SHARE on each of them for a moment
select c.relname::text
from pg_dist_partition as p
join pg_class as c on c.oid = p.logicalrelid
join pg_namespace as n on n.oid = c.relnamespace
where n.nspname = 'plimsoll'
    and not c.relispartition
    and (
        pg_relation_size(c.oid) > 0
        or exists (
            select 1 from pg_inherits as i where i.inhparent = c.oid and pg_relation_size(i.inhrelid) > 0
        )
    )
order by c.relname
