-- reading which compressed chunk is of which chunk, TimescaleDB 2.29 and later: AccessShareLock on its catalog; one pass.
-- The chunk inherits from its hypertable, and so belongs to it.
select s.compress_relid::oid, s.relid::oid
from _timescaledb_catalog.compression_settings s
where s.compress_relid is not null
