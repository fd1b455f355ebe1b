-- reading the names of the server's databases: no locks; one pass over pg_database
select d.oid, d.datname as name, pg_encoding_to_char(d.encoding) as encoding from pg_database d
