-- how many relations are known of each database: one pass over an index; no locks that block anybody
select d.instance_id, d.database_id, count(r.relation_id)
from plimsoll.databases as d
left join plimsoll.relations as r on r.instance_id = d.instance_id and r.database_id = d.database_id
group by d.instance_id, d.database_id
order by d.instance_id, d.database_id
