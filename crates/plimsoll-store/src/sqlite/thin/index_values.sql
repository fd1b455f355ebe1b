-- Deletes values that were followed by another of the same relation before any sample that is left.
-- Costs one pass over the database's values, and a look-up for each whose own sample is gone.
delete from index_values as v
where instance_id = ?1
    and database_id = ?2
    and tick not in (select tick from samples where instance_id = ?1 and database_id = ?2)
    and (
        select min(n.tick) from index_values as n
        where n.instance_id = ?1
            and n.database_id = ?2
            and n.relation_id = v.relation_id
            and n.tick > v.tick
    ) <= (
        select coalesce(min(s.tick), 9223372036854775807) from samples as s
        where s.instance_id = ?1 and s.database_id = ?2 and s.tick >= v.tick
    );
