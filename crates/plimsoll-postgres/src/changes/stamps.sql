-- reading when the server's statistics began: no locks. After a crash only the background writer's (and
-- since PostgreSQL 17 the checkpointer's) moves. Null where somebody's writes are not counted: counters are
-- switched off for the server or this role, for another role, or for the database.
select case
    when current_setting('track_counts') = 'off' then null
    when exists (
        select
        from pg_db_role_setting s
        cross join lateral unnest(s.setconfig) c (setting)
        where s.setdatabase in (0, (select d.oid from pg_database d where d.datname = current_database()))
            and lower(c.setting) ~ '^track_counts=(o?f|off|f.*|no?|0)$'
    ) then null
    else concat_ws(
        ' ',
        (select coalesce(d.stats_reset::text, '-') from pg_stat_database d where d.datname = current_database()),
        (select coalesce(b.stats_reset::text, '-') from pg_stat_bgwriter b),
        {checkpointer}
        pg_postmaster_start_time()::text
    )
end
