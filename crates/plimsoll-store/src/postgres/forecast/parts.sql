-- the parts of some kinds, what grows most first: one database's rows by key; no locks that block
-- anybody
select kind, schema_name, relation_name, level_bytes, horizons
from (
    select
        kind, schema_name, relation_name, level_bytes, grown_bytes, horizons,
        row_number() over (
            partition by kind
            order by grown_bytes desc, schema_name collate "C", relation_name collate "C"
        ) as place
    from plimsoll.forecast_parts
    where instance_id = $1
        and database_id = $2
        and kind = any ($3::text[])
        and ($4::text is null or (schema_name = $4 and relation_name = $5::text))
) as p
where $6::bigint is null or place <= $6 or kind not in ('s', 'p', 't')
order by grown_bytes desc, kind, schema_name collate "C", relation_name collate "C"
