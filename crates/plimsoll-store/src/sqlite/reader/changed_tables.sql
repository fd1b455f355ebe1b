-- tables whose size differs between the ticks ?3 and ?4: a look-up or two for each of them. The newest state
-- has the greatest possible tick; its values are in `relations`.
select relation_id, before_bytes, after_bytes
from (
    select
        r.relation_id,
        case
            when r.first_tick <= ?3 and (r.gone_tick is null or r.gone_tick > ?3)
                then coalesce((
                    select v.heap_bytes + coalesce(v.toast_bytes, 0) + coalesce(v.toast_index_bytes, 0) + v.index_bytes
                    from table_values as v
                    where v.instance_id = ?1 and v.database_id = ?2 and v.relation_id = r.relation_id
                        and v.tick <= ?3
                    order by v.tick desc
                    limit 1
                ), 0)
        end as before_bytes,
        case
            when r.gone_tick is not null and r.gone_tick <= ?4 or r.first_tick > ?4 then null
            when ?4 = 9223372036854775807 then coalesce(r.heap_bytes + coalesce(r.toast_bytes, 0) + coalesce(r.toast_index_bytes, 0) + r.index_bytes, 0)
            else coalesce((
                    select v.heap_bytes + coalesce(v.toast_bytes, 0) + coalesce(v.toast_index_bytes, 0) + v.index_bytes
                    from table_values as v
                    where v.instance_id = ?1 and v.database_id = ?2 and v.relation_id = r.relation_id
                        and v.tick <= ?4
                    order by v.tick desc
                    limit 1
                ), 0)
        end as after_bytes
    from relations as r
    where r.instance_id = ?1
        and r.database_id = ?2
        and r.first_tick <= ?4
        and (r.gone_tick is null or r.gone_tick > ?3)
        and r.owner_id is null
        and r.kind in (select value from json_each(?5))
)
where coalesce(before_bytes, 0) <> coalesce(after_bytes, 0)
