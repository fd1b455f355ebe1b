-- listing tablespaces: no locks; one pass over pg_tablespace
select
    t.oid,
    t.spcname as name,
    has_function_privilege('pg_tablespace_size(oid)', 'execute')
        and (
            pg_has_role('pg_read_all_stats', 'usage')
            or has_tablespace_privilege(t.oid, 'create')
            or t.oid = (select d.dattablespace from pg_database d where d.datname = current_database())
        ) as may_size
from pg_tablespace t
order by t.oid
