-- asking whether the role may see which databases have files in a tablespace: no locks; one privilege check
select has_function_privilege('pg_tablespace_databases(oid)', 'execute')
