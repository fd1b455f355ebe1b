-- reading a page of samples, the last of each step: reads one database's samples by key; no locks that
-- block anybody
select s.id, d.name, s.sampled_at, s.kind, s.total_bytes, s.table_count, s.is_demo,
    s.method like 'import%', s.unread_count
from (
    select
        *,
        row_number() over (
            partition by case
                when $5::bigint = 0 then tick
                else div(extract(epoch from sampled_at)::numeric, greatest($5::bigint, 1))
            end
            order by tick desc
        ) as place
    from plimsoll.samples
    where instance_id = $1
        and database_id = $2
        and (cardinality($3::text[]) = 0 or kind = any ($3::text[]))
        and ($4::timestamptz is null or sampled_at >= $4)
) as s
join plimsoll.databases as d on d.instance_id = $1 and d.database_id = $2
where s.place = 1
order by s.tick desc
limit $6
