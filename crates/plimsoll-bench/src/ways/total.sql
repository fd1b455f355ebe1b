-- what most tools ask; the relation cache of the backend keeps every table, toast table and index
select sum(pg_total_relation_size(relid)) from pg_stat_user_tables
