-- asking in which tablespaces the database has no files: no locks; the server reads each tablespace's folder,
-- and looks into those of databases in it. Everybody may ask, unless that was revoked.
select t.oid
from unnest($1::oid[]) t (oid)
where not exists (select from pg_tablespace_databases(t.oid) d where d = $2::oid)
