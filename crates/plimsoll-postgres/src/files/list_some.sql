-- listing the files of some relations with their sizes: no locks; the server reads one folder and stats
-- the files that are asked for
select
    f,
    (pg_stat_file($1::text || '/' || f, true)).size
from pg_ls_dir($1::text, true, false) f
where case
    when left(f, 1) = 't' then
        split_part(f, '_', 1) || '_' || split_part(split_part(f, '_', 2), '.', 1)
    else split_part(split_part(f, '.', 1), '_', 1)
end = any ($2::text[])
