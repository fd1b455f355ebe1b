-- listing the databases to look at: no locks; one pass over pg_database
select d.oid
from pg_database d
where d.datallowconn and not d.datistemplate and d.datconnlimit <> -2
order by d.datname
