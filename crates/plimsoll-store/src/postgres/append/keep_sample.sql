-- keeping a sample's own row
insert into plimsoll.samples (
    instance_id, database_id, tick, kind, sampled_at, scheduled_for, took_ms, method, full_sweep_at,
    total_bytes, attributed_bytes, estimated_bytes, unattributed_bytes, unmeasured_bytes, table_count,
    unread_count, value_count, is_demo
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
returning id
