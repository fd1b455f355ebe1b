-- reading some relations of the catalog again: AccessShareLock on pg_class and pg_index; a few index
-- lookups for each
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
from unnest($1::oid[]) w (oid)
join pg_class c on c.oid = w.oid
left join pg_index i on i.indexrelid = c.oid
where c.relkind in ('r', 'm', 'p', 't', 'i', 'S') and not c.relisshared
