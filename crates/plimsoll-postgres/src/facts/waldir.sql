-- sizing pg_wal: no locks; the server stats each WAL segment
select coalesce(sum(size), 0)::int8 as bytes from pg_ls_waldir()
