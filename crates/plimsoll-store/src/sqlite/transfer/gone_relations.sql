-- relations that are gone, by key
update relations as o set gone_tick = n.tick
from (select value ->> 'relation' as relation, value ->> 'tick' as tick from json_each(?3)) as n
where o.instance_id = ?1 and o.database_id = ?2 and o.relation_id = n.relation
