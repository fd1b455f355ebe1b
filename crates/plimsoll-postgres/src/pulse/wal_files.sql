-- listing pg_wal: no locks; the server reads three folders and stats what is no segment
-- A segment has its full size from the moment that it has its name, and what says that one is to be archived, or was, has
-- no bytes: of thousands of those, looking at each would cost ten times what the listing does.
with folders (folder) as (values ('pg_wal'), ('pg_wal/archive_status'), ('pg_wal/summaries')),
entries as (
    select
        d.folder,
        f,
        case when d.folder = 'pg_wal' and octet_length(f) = 24 then ltrim(f, '0123456789ABCDEF') = '' else false end
            as is_segment
    from folders d, pg_ls_dir(d.folder, true, false) f
    limit 100001
),
sized as (
    select
        e.folder,
        e.f,
        case
            when e.is_segment then (select pg_size_bytes(current_setting('wal_segment_size')))
            when e.folder = 'pg_wal/archive_status' then 0
            else (
                select case when s.isdir then 0 else s.size end
                from pg_stat_file(e.folder || '/' || e.f, true) s (size, access, modification, change, creation, isdir)
            )
        end as size
    from entries e
)
select
    coalesce(sum(s.size), 0)::int8 as bytes,
    count(*) as entries,
    count(*) filter (where s.folder = 'pg_wal/archive_status' and s.f like '%.ready') as waiting
from sized s
