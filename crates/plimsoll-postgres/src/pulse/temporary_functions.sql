-- listing temporary files: no locks; the server reads each tablespace's pgsql_tmp and stats its files
with by_backend as (
    select
        t.oid as tablespace,
        substring(f.name from '^pgsql_tmp([0-9]+)')::int4 as pid,
        sum(f.size)::int8 as bytes
    from pg_tablespace t, pg_ls_tmpdir(t.oid) f
    where t.oid <> 1664
    group by 1, 2
)
select
    t.oid as tablespace,
    t.spcname::text as name,
    b.pid,
    coalesce(b.bytes, 0) as bytes,
    a.usename::text as role,
    a.query_start as since,
    0::int8 as entries
from pg_tablespace t
left join by_backend b on b.tablespace = t.oid
left join pg_stat_activity a on a.pid = b.pid
where t.oid <> 1664
order by t.oid, b.pid
