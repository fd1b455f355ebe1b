-- listing tablespaces: no locks; one pass over pg_tablespace and a link read for each
select t.oid, t.spcname::text as name, {location} as location
from pg_tablespace t
where t.oid <> 1664
