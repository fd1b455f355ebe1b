-- tables in a schema, now or before: one database's relations by key; no locks that block anybody
select relation_id, kind, owner_id, schema_name, relation_name, parent_id, first_tick, gone_tick
from plimsoll.relations
where instance_id = $1
    and database_id = $2
    and owner_id is null
    and kind <> 'p'
    and (
        schema_name = $3
        or relation_id in (
            select relation_id from plimsoll.former_names
            where instance_id = $1 and database_id = $2 and schema_name = $3
        )
    )
