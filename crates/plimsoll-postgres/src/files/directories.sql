-- finding the database's folders: no locks; a link is followed for each tablespace. Relative paths only:
-- absolute ones are refused to a role that is not a superuser. A tablespace has no folder of a database that
-- keeps nothing there, nor while it is not mounted.
select
    p.tablespace,
    p.directory
from (
    select
        t.oid as tablespace,
        case
            when t.oid = 1663 then 'base/' || $1::oid
            else 'pg_tblspc/' || t.oid || '/PG_' || $2::int4 || '_' || c.catalog_version_no || '/' || $1::oid
        end as directory
    from pg_tablespace t, pg_control_system() c
    where t.oid <> 1664
) p
where $3::bool or (pg_stat_file(p.directory, true)).isdir
