-- reading what rewrites a table or builds an index: no locks; progress of each backend in shared memory
select p.pid, p.command, p.blocks, a.query_start as since
from (
    select c.pid, c.command, c.heap_blks_total as blocks from pg_stat_progress_cluster c
    union all
    select i.pid, i.command, i.blocks_total from pg_stat_progress_create_index i
) p
left join pg_stat_activity a on a.pid = p.pid
