-- sizing the server's log files: no locks; the server reads its log directory and stats its files
with entries as (
    select s.size, s.isdir
    from pg_ls_dir($1::text, true, false) f,
        pg_stat_file($1::text || '/' || f, true) s (size, access, modification, change, creation, isdir)
    limit 50001
)
select coalesce(sum(e.size) filter (where not e.isdir), 0)::int8 as bytes, count(*) as entries from entries e
