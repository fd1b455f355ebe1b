-- reading which relations are locked against reading or being written: no locks; pg_locks is read once,
-- which holds the lock table's partitions for the moment of the copy. Waiting requests count: we would
-- queue behind them. A prepared transaction's locks have no pid and count as well.
select
    l.relation,
    bool_or(l.mode = 'AccessExclusiveLock')
from pg_locks l
where l.locktype = 'relation'
    and l.database = (select d.oid from pg_database d where d.datname = current_database())
    and l.relation is not null
    and l.mode not in ('AccessShareLock', 'RowShareLock', 'SIReadLock')
group by l.relation
