-- the samples of all databases and what they weigh: one pass over the samples; no locks that block
-- anybody
select instance_id, database_id, id, sampled_at, kind, value_count from plimsoll.samples
