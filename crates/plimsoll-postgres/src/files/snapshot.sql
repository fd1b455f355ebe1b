-- reading which transactions are under way: no locks
select pg_current_snapshot()::text
