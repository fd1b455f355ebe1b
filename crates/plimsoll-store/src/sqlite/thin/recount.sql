-- Says of each sample how many values count from it on. Costs one pass over the database's values.
with counted as (
    select
        (
            select min(s.tick) from samples as s
            where s.instance_id = ?1 and s.database_id = ?2 and s.tick >= v.tick
        ) as tick,
        v.value_count
    from (
        select tick, count(*) as value_count
        from (
            select tick from table_values where instance_id = ?1 and database_id = ?2
            union all
            select tick from index_values where instance_id = ?1 and database_id = ?2
        )
        group by tick
    ) as v
),

summed as (
    select tick, sum(value_count) as value_count from counted group by tick
)

update samples as s
set value_count = coalesce((select n.value_count from summed as n where n.tick = s.tick), 0)
where s.instance_id = ?1
    and s.database_id = ?2
    and s.value_count <> coalesce((select n.value_count from summed as n where n.tick = s.tick), 0)
