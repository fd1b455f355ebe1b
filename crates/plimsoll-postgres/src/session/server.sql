-- reading what the server is: no locks on user relations; two rows of pg_database
select
    current_setting('server_version_num')::int4 as version_num,
    pg_is_in_recovery() as in_recovery,
    pg_postmaster_start_time() as started_at,
    current_setting('block_size')::int4 as block_size,
    d.oid as database_oid,
    d.datname as database,
    pg_encoding_to_char(d.encoding) as encoding,
    (select pg_encoding_to_char(t.encoding)::text from pg_database t where t.datname = 'template0') as server_encoding,
    has_function_privilege('pg_control_system()', 'execute')
        and has_function_privilege('pg_control_checkpoint()', 'execute') as may_read_control,
    has_function_privilege('pg_stat_get_db_stat_reset_time(oid)', 'execute') as may_read_reset,
    has_function_privilege('pg_table_size(regclass)', 'execute') as may_add_forks
from pg_database d
where d.datname = current_database()
