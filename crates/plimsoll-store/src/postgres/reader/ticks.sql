-- the samples that a series is read at, the last of each step of $6 seconds: one database's samples by key; no
-- locks that block anybody
select tick, id, sampled_at, kind, total_bytes, method like 'import%'
from (
    select
        tick, id, sampled_at, kind, total_bytes, method,
        row_number() over (
            partition by div(extract(epoch from sampled_at)::numeric, $6::bigint)
            order by tick desc
        ) as place
    from plimsoll.samples
    where instance_id = $1
        and database_id = $2
        and (cardinality($3::text[]) = 0 or kind = any ($3::text[]))
        and ($4::timestamptz is null or sampled_at >= $4)
        and ($5::timestamptz is null or sampled_at <= $5)
) as s
where place = 1
order by tick
