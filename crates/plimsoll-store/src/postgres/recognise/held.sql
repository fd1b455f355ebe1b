-- What lies in the schema `plimsoll`, without needing a right on it: its tables and views, but those that an
-- extension brought, and the columns of `migrations`, which every store has. Two indexed looks into the
-- catalog, no lock on any table.
select
    array(
        select c.relname::text
        from pg_catalog.pg_class as c
        where c.relnamespace = n.oid and c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
          and not exists (
              select from pg_catalog.pg_depend as d
              where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = c.oid and d.deptype = 'e'
          )
        order by c.relname
    ) as tables,
    array(
        select a.attname::text
        from pg_catalog.pg_attribute as a
        join pg_catalog.pg_class as c on c.oid = a.attrelid
        where c.relnamespace = n.oid and c.relname = 'migrations' and a.attnum > 0 and not a.attisdropped
    ) as columns
from (select (select oid from pg_catalog.pg_namespace where nspname = 'plimsoll') as oid) as n
