-- relations that are gone, by key: row locks on them
update plimsoll.relations as o set gone_tick = r.tick
from json_to_recordset($3::text::json) as r (relation integer, tick bigint)
where o.instance_id = $1 and o.database_id = $2 and o.relation_id = r.relation
