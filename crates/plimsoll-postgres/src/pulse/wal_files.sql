-- listing pg_wal: no locks; the server reads three folders and stats their files
with folders (folder) as (values ('pg_wal'), ('pg_wal/archive_status'), ('pg_wal/summaries')),
entries as (
    select d.folder, f, s.size, s.isdir
    from folders d,
        pg_ls_dir(d.folder, true, false) f,
        pg_stat_file(d.folder || '/' || f, true) s (size, access, modification, change, creation, isdir)
    limit 100001
)
select
    coalesce(sum(e.size) filter (where not e.isdir), 0)::int8 as bytes,
    count(*) as entries,
    count(*) filter (where e.folder = 'pg_wal/archive_status' and e.f like '%.ready') as waiting
from entries e
