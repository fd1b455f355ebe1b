-- PgHero's table, quoted, and whether reading it runs nothing of its owner's: an ordinary table without
-- generated columns. Reads the catalog; no locks that block anybody
select
    format('%I.%I', n.nspname, c.relname),
    c.relkind = 'r' and not exists (
        select from pg_attribute as a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            and a.attgenerated not in ('', 's')
    )
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where c.relname = 'pghero_space_stats' and c.relkind in ('r', 'p', 'v', 'm', 'f')
    and n.nspname not like 'pg\_temp\_%'
order by c.relkind = 'r' desc, n.nspname = 'public' desc, n.nspname
limit 1
