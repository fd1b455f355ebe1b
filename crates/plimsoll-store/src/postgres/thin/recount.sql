-- saying of each sample how many values count from it on: one pass over the database's values, row
-- locks on the samples of which it changes
with counted as (
    select
        (
            select min(s.tick) from plimsoll.samples as s
            where s.instance_id = $1 and s.database_id = $2 and s.tick >= v.tick
        ) as tick,
        v.value_count
    from (
        select u.tick, count(*) as value_count
        from (
            select tick from plimsoll.table_values where instance_id = $1 and database_id = $2
            union all
            select tick from plimsoll.index_values where instance_id = $1 and database_id = $2
        ) as u
        group by u.tick
    ) as v
),

summed as (
    select tick, sum(value_count)::bigint as value_count from counted group by tick
)

update plimsoll.samples as s
set value_count = n.value_count
from (
    select x.tick, coalesce(m.value_count, 0) as value_count
    from plimsoll.samples as x
    left join summed as m on m.tick = x.tick
    where x.instance_id = $1 and x.database_id = $2
) as n
where s.instance_id = $1
    and s.database_id = $2
    and s.tick = n.tick
    and s.value_count <> n.value_count
