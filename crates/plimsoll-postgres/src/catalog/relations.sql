-- reading the catalog and what is counted of it: AccessShareLock on pg_class, no user relation is opened. One
-- pass, some 80 bytes sent for each relation; up to three lookups in the server's statistics for each table, or
-- ten where it must be known what moved ($2), and two for a toast table: what is written to that counts for
-- its table too, in the same transaction, only vacuums do not. Where no live row is counted although reltuples
-- is positive, the counts of vacuums and analyzes tell whether that is true or the counters were lost. Only
-- mapped catalogs (relfilenode 0) ask for their file by function, which takes no lock. Shared catalogs are
-- counted at the instance, not here.
select
    c.oid,
    c.relname,
    c.relnamespace,
    c.relkind,
    c.relpersistence,
    case when c.relfilenode = 0 and c.relkind <> 'p' then pg_relation_filenode(c.oid) else c.relfilenode end,
    c.reltablespace,
    c.relpages,
    c.reltuples,
    c.reltoastrelid,
    c.relam,
    case when $1::bool and c.relkind in ('r', 'm') then
        coalesce(
            nullif(pg_stat_get_live_tuples(c.oid), 0),
            case
                when c.reltuples > 0
                    and pg_stat_get_vacuum_count(c.oid) + pg_stat_get_autovacuum_count(c.oid)
                        + pg_stat_get_analyze_count(c.oid) + pg_stat_get_autoanalyze_count(c.oid) = 0
                then null
                else 0
            end
        )
    end,
    case when $1::bool and c.relkind in ('r', 'm') then pg_stat_get_dead_tuples(c.oid) end,
    case when $2::bool and c.relkind in ('r', 'm', 't') then
        pg_stat_get_vacuum_count(c.oid) + pg_stat_get_autovacuum_count(c.oid)
            + case
                when c.relkind <> 't'
                then pg_stat_get_tuples_inserted(c.oid) + pg_stat_get_tuples_updated(c.oid)
                    + pg_stat_get_tuples_deleted(c.oid)
                else 0
            end
    end
from pg_class c
where c.relkind in ('r', 'm', 'p', 't', 'i', 'S') and not c.relisshared
