-- the tables directly below some tables: by index; no locks that block anybody
select relation_id, kind, owner_id, schema_name, relation_name, parent_id, first_tick, gone_tick
from plimsoll.relations
where instance_id = $1
    and database_id = $2
    and parent_id = any ($3::integer[])
