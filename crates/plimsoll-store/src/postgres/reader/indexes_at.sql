-- the indexes that were there at a tick with their values then: as tables_at.sql
select r.relation_id, v.bytes
from plimsoll.relations as r
left join (
    select distinct on (relation_id) relation_id, bytes
    from plimsoll.index_values
    where instance_id = $1 and database_id = $2 and tick <= $3
    order by relation_id, tick desc
) as v on v.relation_id = r.relation_id
where r.instance_id = $1
    and r.database_id = $2
    and r.first_tick <= $3
    and (r.gone_tick is null or r.gone_tick > $3)
    and r.owner_id is not null
order by r.relation_id
