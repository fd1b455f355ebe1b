-- reading where the database lies, and which transactions are under way: no locks
select d.dattablespace, pg_current_snapshot()::text
from pg_database d
where d.datname = current_database()
