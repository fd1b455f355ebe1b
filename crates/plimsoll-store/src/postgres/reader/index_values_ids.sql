-- the values of some indexes up to a tick, in any order: by key, in each week up to it; no locks that block anybody
select relation_id, tick, bytes
from plimsoll.index_values
where instance_id = $1 and database_id = $2 and tick <= $3 and relation_id = any ($4)
