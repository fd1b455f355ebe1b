-- each table of a sample with its size and its name then, the largest $5 or all by name: one database's
-- tables by key, and the last value of each; no locks that block anybody. As the view `sample_tables`, with
-- each table held to the instance by itself, so that one shard answers
select t.table_key, t.size_bytes
from (
    select
        case
            when f.relation_id is null then coalesce(
                r.table_key,
                case r.schema_name when 'public' then '' else r.schema_name || '.' end || r.relation_name
            )
            else coalesce(
                f.table_key,
                case f.schema_name when 'public' then '' else f.schema_name || '.' end || f.relation_name
            )
        end collate "C" as table_key,
        v.heap_bytes + coalesce(v.toast_bytes, 0) + coalesce(v.toast_index_bytes, 0) + v.index_bytes
            as size_bytes
    from plimsoll.samples as s
    join plimsoll.relations as r
        on r.instance_id = $1
        and r.database_id = $2
        and r.kind in ('r', 'm')
        and ($4::integer[] is null or r.relation_id = any ($4))
        and r.first_tick <= s.tick
        and (r.gone_tick is null or r.gone_tick > s.tick)
    join lateral (
        select * from plimsoll.table_values as l
        where l.instance_id = $1
            and l.database_id = $2
            and l.relation_id = r.relation_id
            and l.tick <= s.tick
        order by l.tick desc
        limit 1
    ) as v on true
    left join lateral (
        select * from plimsoll.former_names as l
        where l.instance_id = $1
            and l.database_id = $2
            and l.relation_id = r.relation_id
            and l.until_tick > s.tick
        order by l.until_tick
        limit 1
    ) as f on true
    where s.instance_id = $1
        and s.database_id = $2
        and s.id = $3
        and v.heap_bytes is not null
) as t
where ($6::text is null or t.table_key = $6)
order by case when $5::bigint is not null then t.size_bytes end desc, t.table_key
limit $5
