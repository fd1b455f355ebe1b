-- reading when the database's statistics were last reset: no locks; one look-up in the server's statistics
select pg_stat_get_db_stat_reset_time($1::oid) as stats_reset_at
