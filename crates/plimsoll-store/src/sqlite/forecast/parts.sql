-- the parts of some kinds, what grows most first: one database's rows by key
select kind, schema_name, relation_name, level_bytes, horizons
from (
    select
        kind, schema_name, relation_name, level_bytes, grown_bytes, horizons,
        row_number() over (
            partition by kind order by grown_bytes desc, schema_name, relation_name
        ) as place
    from forecast_parts
    where instance_id = ?1
        and database_id = ?2
        and kind in (select value from json_each(?3))
        and (?4 is null or (schema_name = ?4 and relation_name = ?5))
)
where ?6 is null or place <= ?6 or kind not in ('s', 'p', 't')
order by grown_bytes desc, kind, schema_name, relation_name
