-- asking whether the role may read backend memory: no locks; two privilege checks
select has_table_privilege('pg_backend_memory_contexts', 'select')
    and has_function_privilege('pg_get_backend_memory_contexts()', 'execute') as may
