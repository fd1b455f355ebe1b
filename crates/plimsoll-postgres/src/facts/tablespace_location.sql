-- reading where a tablespace lies: no locks; the server reads one link
select pg_tablespace_location($1::oid) as location
