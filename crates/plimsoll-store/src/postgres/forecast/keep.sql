-- what is of a newer sample stays: locks one row
insert into plimsoll.forecasts as f (
    instance_id, database_id, sample_id, sampled_at, computed_at, took_ms, table_count, young_count,
    unknown
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (instance_id, database_id) do update set
    sample_id = excluded.sample_id,
    sampled_at = excluded.sampled_at,
    computed_at = excluded.computed_at,
    took_ms = excluded.took_ms,
    table_count = excluded.table_count,
    young_count = excluded.young_count,
    unknown = excluded.unknown
where f.sample_id <= excluded.sample_id
