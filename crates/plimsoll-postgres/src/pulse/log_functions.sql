-- sizing the server's log files: no locks; the server reads its log directory and stats its files
select coalesce(sum(size), 0)::int8 as bytes, count(*) as entries from pg_ls_logdir()
