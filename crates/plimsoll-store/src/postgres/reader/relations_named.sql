-- tables with a name now: by index; no locks that block anybody
select relation_id, kind, owner_id, schema_name, relation_name, parent_id, first_tick, gone_tick
from plimsoll.relations
where instance_id = $1
    and database_id = $2
    and owner_id is null
    and relation_name = $3
    and schema_name = $4
