-- sizing what replication keeps: no locks; the server reads a folder for each slot and two more, and stats their files
select coalesce(sum(f.size), 0)::int8 as bytes, count(*) as entries
from (
    select d.size from pg_replication_slots s, pg_ls_replslotdir(s.slot_name::text) d
    union all
    select d.size from pg_ls_logicalsnapdir() d
    union all
    select d.size from pg_ls_logicalmapdir() d
) f
