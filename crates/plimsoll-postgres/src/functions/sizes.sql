-- sizing relations: AccessShareLock on one relation at a time, let go before the next; pg_locks is read once
-- for all of them. What somebody holds or waits for in ACCESS EXCLUSIVE mode is not touched. A relation
-- that is gone has no size. pg_table_size, if the role may call it, adds all forks in one go, but also a toast table; so it is for what
-- has none. Forks of a table that cannot exist are not asked for: each costs the server a file lookup.
select
    t.oid,
    t.is_locked,
    case
        when t.is_locked then null
        when t.is_table then pg_relation_size(t.oid, 'main')
        else {all_forks}
    end,
    case
        when t.is_locked then null
        when t.is_table then
            pg_relation_size(t.oid, 'fsm') + pg_relation_size(t.oid, 'vm')
                + case when t.is_unlogged then pg_relation_size(t.oid, 'init') else 0 end
        else 0
    end
from (
    select
        w.oid,
        w.is_unlogged,
        w.is_table,
        w.oid in (
            select l.relation
            from pg_locks l
            where l.locktype = 'relation'
                and l.database = (select d.oid from pg_database d where d.datname = current_database())
                and l.relation is not null
                and l.mode = 'AccessExclusiveLock'
        ) as is_locked
    from unnest($1::oid[], $2::bool[], $3::bool[]) w (oid, is_unlogged, is_table)
    offset 0
) t
