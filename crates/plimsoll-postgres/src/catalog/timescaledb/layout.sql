-- reading what TimescaleDB's catalog looks like, and whether it is TimescaleDB's: AccessShareLock on pg_extension,
-- pg_depend, pg_class and pg_attribute; a few index look-ups. Tables that are no members of the extension are
-- somebody else's, and reading them might run their owner's functions.
select
    count(*) filter (where a.attname = 'compressed_chunk_id') > 0 as has_chunk_ids,
    count(*) filter (where a.attname = 'compress_relid') > 0 as has_relids
from pg_extension e
join pg_depend d on d.refclassid = 'pg_extension'::regclass and d.refobjid = e.oid and d.deptype = 'e'
    and d.classid = 'pg_class'::regclass
join pg_class c on c.oid = d.objid and c.relkind = 'r' and c.relname in ('chunk', 'compression_settings')
join pg_namespace n on n.oid = c.relnamespace and n.nspname = '_timescaledb_catalog'
join pg_attribute a on a.attrelid = c.oid and a.attname in ('compressed_chunk_id', 'compress_relid')
    and not a.attisdropped
where e.extname = 'timescaledb'
