-- listing pg_wal: no locks; the server reads two folders and stats their files
select
    coalesce(sum(w.size), 0)::int8 as bytes,
    count(*) as entries,
    (select count(*) from pg_ls_archive_statusdir() a where a.name like '%.ready') as waiting
from pg_ls_waldir() w
