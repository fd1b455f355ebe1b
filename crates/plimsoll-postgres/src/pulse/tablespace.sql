-- sizing a tablespace: no locks; the server stats every file of the tablespace
select pg_tablespace_size($1::oid) as bytes
