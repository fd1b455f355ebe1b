-- sizing a tablespace without its temporary files: no locks; the server stats every file of the tablespace
select pg_tablespace_size($1::oid) - coalesce((select sum(f.size) from pg_ls_tmpdir($1::oid) f), 0)::int8 as bytes
