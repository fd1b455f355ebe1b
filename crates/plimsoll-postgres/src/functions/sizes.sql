-- sizing relations: AccessShareLock on one relation at a time, let go before the next; pg_locks is read once
-- for all of them. What somebody holds or waits for in ACCESS EXCLUSIVE mode is not touched. A relation
-- that is gone has no size. Forks that cannot exist are not asked for: each costs the server a file lookup.
select
    t.oid,
    t.is_locked,
    case when not t.is_locked then pg_relation_size(t.oid, 'main') end,
    case when not t.is_locked then
        pg_relation_size(t.oid, 'fsm')
            + case when $3::bool then pg_relation_size(t.oid, 'vm') else 0 end
            + case when t.is_unlogged then pg_relation_size(t.oid, 'init') else 0 end
    end
from (
    select
        w.oid,
        w.is_unlogged,
        w.oid in (
            select l.relation
            from pg_locks l
            where l.locktype = 'relation'
                and l.database = (select d.oid from pg_database d where d.datname = current_database())
                and l.relation is not null
                and l.mode = 'AccessExclusiveLock'
        ) as is_locked
    from unnest($1::oid[], $2::bool[]) w (oid, is_unlogged)
    offset 0
) t
