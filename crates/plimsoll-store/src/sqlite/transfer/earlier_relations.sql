-- relations that were there earlier than was known, by key
update relations as o set first_tick = min(o.first_tick, n.tick)
from (select value ->> 'relation' as relation, value ->> 'tick' as tick from json_each(?3)) as n
where o.instance_id = ?1 and o.database_id = ?2 and o.relation_id = n.relation
