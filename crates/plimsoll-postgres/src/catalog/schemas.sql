-- reading the names of schemas: AccessShareLock on pg_namespace
select n.oid, n.nspname from pg_namespace n
