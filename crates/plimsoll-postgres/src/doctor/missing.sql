-- finding what a refused statement lacks: AccessShareLock on pg_proc and pg_class; a few index look-ups
select 'execute on function' as privilege, p.oid::regprocedure::text as object
from pg_proc p
where p.pronamespace = 11 and p.proname = any ($1::name[]) and not has_function_privilege(p.oid, 'execute')
union all
select 'select on', c.oid::regclass::text
from pg_class c
where c.relnamespace = 11
    and c.relname = any ($1::name[])
    and c.relkind in ('r', 'v')
    and not has_table_privilege(c.oid, 'select')
order by 1, 2
