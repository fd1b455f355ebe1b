-- the samples of an instance and what they weigh: by key; no locks that block anybody
select database_id, id, sampled_at, kind, value_count from plimsoll.samples where instance_id = $1
