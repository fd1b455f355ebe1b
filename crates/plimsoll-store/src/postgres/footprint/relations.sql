-- how many relations are known of each database of an instance: by index; no locks that block anybody
select d.database_id, count(r.relation_id)
from plimsoll.databases as d
left join plimsoll.relations as r on r.instance_id = $1 and r.database_id = d.database_id
where d.instance_id = $1
group by d.database_id
order by d.database_id
