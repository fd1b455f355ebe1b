-- tables with a name now, or before: by index; no locks that block anybody
select relation_id, kind, owner_id, schema_name, relation_name, parent_id, first_tick, gone_tick
from plimsoll.relations
where instance_id = $1
    and database_id = $2
    and owner_id is null
    and relation_name = $3
    and schema_name = $4
union all
select
    r.relation_id, r.kind, r.owner_id, r.schema_name, r.relation_name, r.parent_id, r.first_tick,
    r.gone_tick
from plimsoll.relations as r
where r.instance_id = $1
    and r.database_id = $2
    and r.owner_id is null
    and (r.relation_name <> $3 or r.schema_name <> $4)
    and r.relation_id in (
        select f.relation_id from plimsoll.former_names as f
        where f.instance_id = $1
            and f.database_id = $2
            and f.relation_name = $3
            and f.schema_name = $4
    )
