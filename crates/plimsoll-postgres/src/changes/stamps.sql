-- reading when the server's statistics began: no locks. After a crash only the background writer's (and
-- since PostgreSQL 17 the checkpointer's) moves.
select concat_ws(
    ' ',
    (select coalesce(d.stats_reset::text, '-') from pg_stat_database d where d.datname = current_database()),
    (select coalesce(b.stats_reset::text, '-') from pg_stat_bgwriter b),
    {checkpointer}
    pg_postmaster_start_time()::text
)
