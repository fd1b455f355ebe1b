-- reading the names of access methods: AccessShareLock on pg_am
select a.oid, a.amname from pg_am a
