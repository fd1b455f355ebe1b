-- the samples that a series is read at: one database's samples by key; no locks that block anybody
select tick, id, sampled_at, kind, total_bytes, method like 'import%'
from plimsoll.samples
where instance_id = $1
    and database_id = $2
    and (cardinality($3::text[]) = 0 or kind = any ($3::text[]))
    and ($4::timestamptz is null or sampled_at >= $4)
    and ($5::timestamptz is null or sampled_at <= $5)
order by tick
