-- sizing temporary files of a tablespace: no locks; the server lists its pgsql_tmp
select coalesce(sum(size), 0)::int8 as bytes from pg_ls_tmpdir($1::oid)
