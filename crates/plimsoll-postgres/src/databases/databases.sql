-- listing the server's databases: no locks; one pass over pg_database
select
    d.oid,
    d.datallowconn and d.datconnlimit <> -2 as allows_connections,
    d.datistemplate as is_template,
    d.datconnlimit = -2 as is_invalid,
    has_function_privilege('pg_database_size(oid)', 'execute')
        and (pg_has_role('pg_read_all_stats', 'usage') or has_database_privilege(d.oid, 'connect')) as may_size
from pg_database d
