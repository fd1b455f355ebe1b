-- counting the tables whose column statistics the role sees: no locks on user relations; one pass over
-- pg_class with a privilege check for each user table
select
    count(*) as tables,
    count(*) filter (
        where (has_table_privilege(c.oid, 'select') or has_any_column_privilege(c.oid, 'select'))
            -- pg_stats hides tables under row security that applies to the role
            and not (c.relrowsecurity and row_security_active(c.oid))
    ) as visible
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'm')
    and c.relpersistence <> 't'
    and n.nspname not in ('pg_catalog', 'information_schema')
    and n.nspname !~ '^pg_toast'
