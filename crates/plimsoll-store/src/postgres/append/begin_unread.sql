-- noting parts that could not be measured: the last good value is of the sample before, if the relation
-- was there; it was measured then, or the part would be unread already
insert into plimsoll.unread (
    instance_id, database_id, relation_id, part, from_tick, status, last_good_at
)
select $1, $2, n.relation_id, n.part, $3, n.status, case when r.first_tick < $3 then s.sampled_at end
from unnest($4::integer[], $5::text[], $6::text[]) as n (relation_id, part, status)
join plimsoll.relations as r
    on r.instance_id = $1 and r.database_id = $2 and r.relation_id = n.relation_id
left join lateral (
    select sampled_at from plimsoll.samples
    where instance_id = $1 and database_id = $2 and tick < $3
    order by tick desc
    limit 1
) as s on true
