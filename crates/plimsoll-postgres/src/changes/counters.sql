-- reading row and change counters: AccessShareLock on pg_class; some nine lookups in the server's statistics
-- for each table, two for each toast table. The last column moves with every insert, update, delete and vacuum.
-- What is written to a toast table counts for its table too, in the same transaction; only vacuums do not.
select
    c.oid,
    case
        when s.live = 0 and c.reltuples > 0
            and pg_stat_get_vacuum_count(c.oid) + pg_stat_get_autovacuum_count(c.oid)
                + pg_stat_get_analyze_count(c.oid) + pg_stat_get_autoanalyze_count(c.oid) = 0
        then null
        else s.live
    end,
    case when c.relkind <> 't' then pg_stat_get_dead_tuples(c.oid) else 0 end,
    pg_stat_get_vacuum_count(c.oid) + pg_stat_get_autovacuum_count(c.oid)
        + case
            when c.relkind <> 't'
            then pg_stat_get_tuples_inserted(c.oid) + pg_stat_get_tuples_updated(c.oid)
                + pg_stat_get_tuples_deleted(c.oid)
            else 0
        end
from pg_class c,
    lateral (select case when c.relkind <> 't' then pg_stat_get_live_tuples(c.oid) end as live offset 0) s
where c.relkind in ('r', 'm', 't') and not c.relisshared
