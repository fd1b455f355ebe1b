-- cross-checking row counts: no locks; six lookups in the server's statistics for each table that is asked for,
-- which are few
select
    w.oid,
    pg_stat_get_tuples_inserted(w.oid) - pg_stat_get_tuples_deleted(w.oid),
    pg_stat_get_vacuum_count(w.oid) + pg_stat_get_autovacuum_count(w.oid)
        + pg_stat_get_analyze_count(w.oid) + pg_stat_get_autoanalyze_count(w.oid) > 0
from unnest($1::oid[]) w (oid)
