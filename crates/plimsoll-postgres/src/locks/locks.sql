-- reading which relations are being written: no locks; pg_locks is read once, which holds the lock table's
-- partitions for the moment of the copy. A prepared transaction's locks have no pid and count as well.
select distinct l.relation
from pg_locks l
where l.locktype = 'relation'
    and l.database = (select d.oid from pg_database d where d.datname = current_database())
    and l.relation is not null
    and l.mode not in ('AccessShareLock', 'RowShareLock', 'SIReadLock')
