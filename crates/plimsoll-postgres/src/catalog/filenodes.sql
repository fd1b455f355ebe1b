-- reading which file each relation has now: AccessShareLock on pg_class; one pass, three numbers a
-- relation. Asked only when something may have changed since the catalog was read.
select
    c.oid,
    case when c.relfilenode = 0 and c.relkind <> 'p' then pg_relation_filenode(c.oid) else c.relfilenode end,
    c.reltablespace,
    c.reltoastrelid
from pg_class c
where c.relkind in ('r', 'm', 'p', 't', 'i', 'S') and not c.relisshared
