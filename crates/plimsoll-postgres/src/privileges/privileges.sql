-- asking what the role may do: no locks on user relations; some twenty privilege checks
select
    current_user as role,
    current_setting('is_superuser')::bool as is_superuser,
    pg_has_role('pg_monitor', 'usage') as monitor,
    pg_has_role('pg_read_all_stats', 'usage') as read_all_stats,
    pg_has_role('pg_read_all_settings', 'usage') as read_all_settings,
    has_function_privilege('pg_database_size(oid)', 'execute') as database_size,
    has_function_privilege('pg_tablespace_size(oid)', 'execute') as tablespace_size,
    has_function_privilege('pg_relation_size(regclass, text)', 'execute') as relation_size,
    has_function_privilege('pg_ls_dir(text, boolean, boolean)', 'execute') as ls_dir,
    has_function_privilege('pg_stat_file(text, boolean)', 'execute') as stat_file,
    has_function_privilege('pg_control_system()', 'execute') as control_system,
    has_table_privilege('pg_tablespace', 'select') as tablespaces,
    has_function_privilege('pg_ls_waldir()', 'execute') as ls_waldir,
    has_function_privilege('pg_ls_archive_statusdir()', 'execute') as ls_archive_statusdir,
    has_function_privilege('pg_ls_tmpdir(oid)', 'execute') as ls_tmpdir,
    has_function_privilege('pg_ls_logdir()', 'execute') as ls_logdir,
    coalesce(
        has_table_privilege(to_regclass('pg_backend_memory_contexts'), 'select')
            and has_function_privilege(to_regprocedure('pg_get_backend_memory_contexts()'), 'execute'),
        false
    ) as backend_memory
