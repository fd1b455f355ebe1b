-- the values of one table up to a tick, in any order: by key, in each week up to it; no locks that block anybody
select relation_id, tick, heap_bytes, toast_bytes, toast_index_bytes, index_bytes, row_count
from plimsoll.table_values
where instance_id = $1 and database_id = $2 and tick <= $3 and relation_id = $4
