-- reading the names that relations refer to by number: AccessShareLock on pg_namespace and pg_am
select 'n'::"char", n.oid, n.nspname from pg_namespace n
union all
select 'a'::"char", a.oid, a.amname from pg_am a
