-- relations that were there earlier than was known, by key: row locks on them
update plimsoll.relations as o set first_tick = least(o.first_tick, r.tick)
from json_to_recordset($3::text::json) as r (relation integer, tick bigint)
where o.instance_id = $1 and o.database_id = $2 and o.relation_id = r.relation
