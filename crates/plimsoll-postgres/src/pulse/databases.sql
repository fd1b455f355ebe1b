-- sizing each database in each tablespace: no locks; the server reads their folders and stats every file
with folders as ({tablespace_folders}),
databases as (
    select d.tablespace, b::oid as database, d.folder || '/' || b as folder
    from folders d, pg_ls_dir(d.folder, true, false) b
    where b ~ '^[0-9]+$'
)
select
    d.tablespace,
    coalesce(b.datname::text, 'oid ' || d.database) as name,
    coalesce(sum(s.size), 0)::int8 as bytes
from databases d
left join pg_database b on b.oid = d.database,
    pg_ls_dir(d.folder, true, false) f,
    pg_stat_file(d.folder || '/' || f, true) s (size, access, modification, change, creation, isdir)
where not s.isdir
group by d.tablespace, d.database, b.datname
union all
-- a tablespace whose folder is gone or not mounted: what lies there is not known
select t.oid, t.spcname::text, null
from pg_tablespace t
where t.oid not in (1663, 1664) and (pg_stat_file('pg_tblspc/' || t.oid, true)).isdir is not true
