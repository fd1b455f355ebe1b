-- partitions of the values that take more than twice what their rows do, as the last vacuum counted them, each
-- with its primary key: reads the catalog, no locks that block anybody. A row takes up to 100 bytes
select c.relname::text, k.relname::text
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
join pg_index as i on i.indrelid = c.oid and i.indisprimary
join pg_class as k on k.oid = i.indexrelid
where n.nspname = 'plimsoll'
    and c.relkind = 'r'
    and c.relispartition
    and c.reltuples >= 0
    and c.relpages * current_setting('block_size')::bigint > 65536 + 200 * c.reltuples
order by c.relpages desc
limit 4
