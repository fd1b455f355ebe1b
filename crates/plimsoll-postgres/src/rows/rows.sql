-- reading row counters: AccessShareLock on pg_class; one lookup in the server's statistics for each
-- table. Where nothing is counted although reltuples is positive, the counts of vacuums and analyzes
-- tell whether that is true or the counters were lost.
select
    c.oid,
    case
        when s.live = 0 and c.reltuples > 0
            and pg_stat_get_vacuum_count(c.oid) + pg_stat_get_autovacuum_count(c.oid)
                + pg_stat_get_analyze_count(c.oid) + pg_stat_get_autoanalyze_count(c.oid) = 0
        then null
        else s.live
    end,
    pg_stat_get_dead_tuples(c.oid)
from pg_class c,
    lateral (select pg_stat_get_live_tuples(c.oid) as live offset 0) s
where c.relkind in ('r', 'm') and not c.relisshared
