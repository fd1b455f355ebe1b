-- tables that have a parent, or had one: by index; no locks that block anybody
select relation_id, kind, owner_id, schema_name, relation_name, parent_id, first_tick, gone_tick
from plimsoll.relations
where instance_id = $1
    and database_id = $2
    and relation_id in (
        select relation_id from plimsoll.relations
        where instance_id = $1 and database_id = $2 and parent_id is not null
        union all
        select relation_id from plimsoll.former_names
        where instance_id = $1 and database_id = $2 and parent_id is not null
    )
