-- the values of one database's tables up to a tick, in one pass over the weeks up to it; no locks that block
-- anybody
select relation_id, tick, heap_bytes, toast_bytes, toast_index_bytes, index_bytes, row_count
from plimsoll.table_values
where instance_id = $1 and database_id = $2 and tick <= $3
order by relation_id, tick
