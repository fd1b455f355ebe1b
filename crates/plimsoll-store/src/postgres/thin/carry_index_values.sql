-- moving values whose own sample is gone to the next one that is left, where that is in a later week:
-- so that a week without samples is empty and its partition can be dropped. What the samples show does
-- not change, since no other value of the relation lies between. One pass over the database's values
update plimsoll.index_values as v
set tick = n.next_tick
from (
    select t.tick, (
        select min(s.tick) from plimsoll.samples as s
        where s.instance_id = $1 and s.database_id = $2 and s.tick >= t.tick
    ) as next_tick
    from (
        select distinct tick from plimsoll.index_values where instance_id = $1 and database_id = $2
    ) as t
) as n
where v.instance_id = $1
    and v.database_id = $2
    and v.tick = n.tick
    and (v.tick - $3::bigint) / $4::bigint <> (n.next_tick - $3::bigint) / $4::bigint
