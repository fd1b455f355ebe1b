-- counting the samples that match: reads one database's samples by key; no locks that block anybody
select case
    when $5::bigint = 0 then count(*)
    else count(distinct div(extract(epoch from sampled_at)::numeric, greatest($5::bigint, 1)))
end
from plimsoll.samples
where instance_id = $1
    and database_id = $2
    and (cardinality($3::text[]) = 0 or kind = any ($3::text[]))
    and ($4::timestamptz is null or sampled_at >= $4)
