-- counting segments that wait to be archived: no locks; the server lists pg_wal/archive_status
select count(*) as segments from pg_ls_archive_statusdir() where name like '%.ready'
