-- deleting values that were followed by another of the same relation before any sample that is left:
-- one pass over the database's values, and a look-up for each whose own sample is gone; row locks on
-- what it deletes
delete from plimsoll.index_values as v
where v.instance_id = $1
    and v.database_id = $2
    and not exists (
        select 1 from plimsoll.samples as s
        where s.instance_id = $1 and s.database_id = $2 and s.tick = v.tick
    )
    and (
        select min(n.tick) from plimsoll.index_values as n
        where n.instance_id = $1
            and n.database_id = $2
            and n.relation_id = v.relation_id
            and n.tick > v.tick
    ) <= (
        select coalesce(min(s.tick), 9223372036854775807) from plimsoll.samples as s
        where s.instance_id = $1 and s.database_id = $2 and s.tick >= v.tick
    )
