-- reading which table is a partition of which, without pg_inherits: AccessShareLock on pg_class; a few index
-- look-ups for each partition. Children by plain inheritance are not found this way.
select c.oid, (select a.relid::oid from pg_partition_ancestors(c.oid) with ordinality a (relid, nth) where a.nth = 2)
from pg_class c
where c.relispartition
