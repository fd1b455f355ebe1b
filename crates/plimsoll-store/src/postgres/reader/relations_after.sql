-- the next tables of a pass over all of them: one database's relations by key; no locks that block
-- anybody
select relation_id, kind, owner_id, schema_name, relation_name, parent_id, first_tick, gone_tick
from plimsoll.relations
where instance_id = $1
    and database_id = $2
    and owner_id is null
    and relation_id > $3
order by relation_id
limit $4
