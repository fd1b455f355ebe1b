-- part of other statements: the folder of each tablespace in which the databases of a server of major version $1 lie
select t.oid as tablespace, d.folder
from pg_tablespace t,
    lateral (
        select 'base' where t.oid = 1663
        union all
        select 'pg_tblspc/' || t.oid || '/' || v
        from pg_ls_dir(case when t.oid not in (1663, 1664) then 'pg_tblspc/' || t.oid end, true, false) v
        where v like 'PG\_' || $1::int4 || '\_%'
    ) d (folder)
