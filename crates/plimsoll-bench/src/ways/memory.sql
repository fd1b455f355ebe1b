-- bytes of memory contexts of this backend; PostgreSQL 14 and later
select sum(total_bytes)::bigint from pg_backend_memory_contexts
