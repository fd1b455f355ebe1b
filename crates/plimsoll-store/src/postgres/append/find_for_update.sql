-- as find.sql, with a row lock on the database: samples of one database take turns
select d.instance_id, d.database_id, d.last_tick, d.next_relation_id
from plimsoll.databases as d
where d.instance_id = $1
    and (d.name = $2 or (d.oid = $3::oid and d.system_identifier = $4::text))
order by
    (d.oid = $3::oid and d.system_identifier = $4::text) is true desc,
    d.name = $2 desc
limit 1
for update
