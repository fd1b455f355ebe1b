-- listing temporary files: no locks; the server reads each tablespace's pgsql_tmp and stats its files
-- A session's files are named by its backend; those that parallel workers share lie in a folder of that name.
-- The first row of a tablespace has no backend: with it a tablespace without files is seen as well.
with folders as (
    select l.tablespace, l.folder || '/pgsql_tmp' as folder from ({tablespace_folders}) l
),
entries as (
    select d.tablespace, d.folder || '/' || f as path, f, s.size, s.isdir
    from folders d,
        pg_ls_dir(d.folder, true, false) f,
        pg_stat_file(d.folder || '/' || f, true) s (size, access, modification, change, creation, isdir)
    limit 50001
),
files as (
    select e.tablespace, e.f, e.size from entries e where not e.isdir
    union all
    select e.tablespace, e.f, s.size
    from entries e,
        pg_ls_dir(case when e.isdir then e.path end, true, false) i,
        pg_stat_file(e.path || '/' || i, true) s (size, access, modification, change, creation, isdir)
),
by_backend as (
    select f.tablespace, substring(f.f from '^pgsql_tmp([0-9]+)')::int4 as pid, sum(f.size)::int8 as bytes
    from files f
    group by 1, 2
)
select
    t.oid as tablespace,
    t.spcname::text as name,
    b.pid,
    coalesce(b.bytes, 0) as bytes,
    t.oid = 1663 or (pg_stat_file('pg_tblspc/' || t.oid, true)).isdir is true as is_there,
    a.usename::text as role,
    a.query_start as since,
    (select count(*) from entries) as entries
from pg_tablespace t
left join by_backend b on b.tablespace = t.oid
left join pg_stat_activity a on a.pid = b.pid
where t.oid <> 1664
order by t.oid, b.pid
