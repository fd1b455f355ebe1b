-- sizing the rest of the data directory: no locks; the server reads its folders but those of databases, WAL,
-- replication and tablespaces, three levels deep, and stats their files
with top as (
    select f as name, s.size, s.isdir
    from pg_ls_dir('.', true, false) f,
        pg_stat_file(f, true) s (size, access, modification, change, creation, isdir)
),
second as (
    select t.name as folder, t.name || '/' || f as path, s.size, s.isdir
    from top t,
        pg_ls_dir(
            case
                when t.isdir
                    and t.name not in ('base', 'pg_wal', 'pg_replslot', 'pg_logical', 'pg_tblspc')
                    and t.name <> $1::text
                    then t.name
            end,
            true, false
        ) f,
        pg_stat_file(t.name || '/' || f, true) s (size, access, modification, change, creation, isdir)
),
third as (
    select x.folder, s.size, s.isdir
    from second x,
        pg_ls_dir(case when x.isdir then x.path end, true, false) f,
        pg_stat_file(x.path || '/' || f, true) s (size, access, modification, change, creation, isdir)
)
select e.folder, sum(e.size)::int8 as bytes
from (
    select '' as folder, t.size, t.isdir from top t
    union all
    select x.folder, x.size, x.isdir from second x
    union all
    select x.folder, x.size, x.isdir from third x
) e
where not e.isdir
group by e.folder
