-- the main fork of each relation between two OIDs
select sum(pg_relation_size(c.oid))
from pg_class c
where c.oid between :first and :last and c.relkind in ('r', 'm', 't', 'i', 'S') and not c.relisshared
