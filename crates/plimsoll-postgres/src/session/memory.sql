-- reading this backend's memory, from PostgreSQL 14: no locks; walks this backend's memory contexts
select sum(total_bytes)::int8 as bytes from pg_backend_memory_contexts
