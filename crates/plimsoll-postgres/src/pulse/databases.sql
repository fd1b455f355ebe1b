-- sizing each database in each tablespace: no locks; the server reads their folders and stats every file
with folders as (
    select t.oid as tablespace, d.folder
    from pg_tablespace t,
        lateral (
            select 'base' where t.oid = 1663
            union all
            select 'pg_tblspc/' || t.oid || '/' || v
            from pg_ls_dir(case when t.oid not in (1663, 1664) then 'pg_tblspc/' || t.oid end, true, false) v
            where v like 'PG\_' || $1::int4 || '\_%'
        ) d (folder)
),
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
