-- tables whose size differs between the ticks $3 and $4: two passes over the values of one database; no
-- locks that block anybody. The newest state has the greatest possible tick.
with before as (
    select distinct on (relation_id) relation_id, heap_bytes + coalesce(toast_bytes, 0) + coalesce(toast_index_bytes, 0) + index_bytes as bytes
    from plimsoll.table_values
    where instance_id = $1 and database_id = $2 and tick <= $3
    order by relation_id, tick desc
),

after as (
    select distinct on (relation_id) relation_id, heap_bytes + coalesce(toast_bytes, 0) + coalesce(toast_index_bytes, 0) + index_bytes as bytes
    from plimsoll.table_values
    where instance_id = $1 and database_id = $2 and tick <= $4
    order by relation_id, tick desc
)

select relation_id, before_bytes, after_bytes
from (
    select
        r.relation_id,
        case
            when r.first_tick <= $3 and (r.gone_tick is null or r.gone_tick > $3)
                then coalesce(b.bytes, 0)
        end as before_bytes,
        case
            when r.first_tick <= $4 and (r.gone_tick is null or r.gone_tick > $4)
                then coalesce(a.bytes, 0)
        end as after_bytes
    from plimsoll.relations as r
    left join before as b using (relation_id)
    left join after as a using (relation_id)
    where r.instance_id = $1
        and r.database_id = $2
        and r.owner_id is null
        and r.kind = any ($5::text[])
) as c
where coalesce(before_bytes, 0) <> coalesce(after_bytes, 0)
