-- reading how many connections this role may have to this database: no locks; a row of two shared catalogs
select least(nullif(r.rolconnlimit, -1), nullif(d.datconnlimit, -1)) as connections
from pg_roles r, pg_database d
where r.rolname = current_user and d.datname = current_database()
