-- sizing the database: no locks; the server stats every file of the database
select pg_database_size($1::oid)
