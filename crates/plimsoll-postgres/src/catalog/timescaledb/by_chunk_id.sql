-- reading which compressed chunk is of which hypertable, TimescaleDB 2.0 to 2.28: AccessShareLock on its catalog,
-- pg_class and pg_namespace; one pass over its chunks. A hypertable's own compressed one belongs to it as well.
select cc.oid, hc.oid
from _timescaledb_catalog.chunk u
join _timescaledb_catalog.chunk c on c.id = u.compressed_chunk_id
join _timescaledb_catalog.hypertable h on h.id = u.hypertable_id
join pg_namespace cn on cn.nspname = c.schema_name
join pg_class cc on cc.relnamespace = cn.oid and cc.relname = c.table_name
join pg_namespace hn on hn.nspname = h.schema_name
join pg_class hc on hc.relnamespace = hn.oid and hc.relname = h.table_name
union all
select cc.oid, hc.oid
from _timescaledb_catalog.hypertable h
join _timescaledb_catalog.hypertable c on c.id = h.compressed_hypertable_id
join pg_namespace cn on cn.nspname = c.schema_name
join pg_class cc on cc.relnamespace = cn.oid and cc.relname = c.table_name
join pg_namespace hn on hn.nspname = h.schema_name
join pg_class hc on hc.relnamespace = hn.oid and hc.relname = h.table_name
