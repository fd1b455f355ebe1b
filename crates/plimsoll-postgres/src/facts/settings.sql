-- reading settings: no locks; those that the role may not see have no row
select s.name::text as name, s.setting, s.unit
from pg_settings s
where s.name in (
    'archive_mode', 'data_directory', 'log_directory', 'logging_collector', 'max_wal_size', 'wal_keep_size',
    'wal_segment_size'
)
