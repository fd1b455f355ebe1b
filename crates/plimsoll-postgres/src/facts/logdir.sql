-- sizing the server's log files: no locks; the server lists its log directory
select coalesce(sum(size), 0)::int8 as bytes from pg_ls_logdir()
