-- finding a database, of the same OID on the same system or else of the same name: no locks
select d.instance_id, d.database_id, d.last_tick, d.next_relation_id
from plimsoll.databases as d
where d.instance_id = $1
    and (d.name = $2 or (d.oid = $3::oid and d.system_identifier = $4::text))
order by
    (d.oid = $3::oid and d.system_identifier = $4::text) is true desc,
    d.name = $2 desc
limit 1
