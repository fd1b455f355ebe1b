-- reading the catalog: AccessShareLock on pg_class and pg_index, no user relation is opened. One pass
-- over both, some 80 bytes sent for each relation. Only mapped catalogs (relfilenode 0) ask for their
-- file by function, which takes no lock. Shared catalogs are counted at the instance, not here.
select
    c.oid,
    c.relname,
    c.relnamespace,
    c.relkind,
    c.relpersistence,
    case when c.relfilenode = 0 and c.relkind <> 'p' then pg_relation_filenode(c.oid) else c.relfilenode end,
    c.reltablespace,
    c.relpages,
    c.reltuples,
    c.reltoastrelid,
    c.relam,
    i.indrelid,
    i.indisvalid
from pg_class c
left join pg_index i on i.indexrelid = c.oid
where c.relkind in ('r', 'm', 'p', 't', 'i', 'S') and not c.relisshared
