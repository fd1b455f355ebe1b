-- sizing what replication keeps: no locks; the server reads a folder for each slot and three more, and stats their files
with folders as (
    select 'pg_replslot/' || d as folder from pg_ls_dir('pg_replslot', true, false) d
    union all
    values ('pg_logical'), ('pg_logical/snapshots'), ('pg_logical/mappings')
),
entries as (
    select s.size, s.isdir
    from folders d,
        pg_ls_dir(d.folder, true, false) f,
        pg_stat_file(d.folder || '/' || f, true) s (size, access, modification, change, creation, isdir)
    limit 50001
)
select coalesce(sum(e.size) filter (where not e.isdir), 0)::int8 as bytes, count(*) as entries from entries e
