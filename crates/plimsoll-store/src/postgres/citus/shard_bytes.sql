-- what the distributed tables take on all nodes, and how many of their shards lie on a node that does not
-- answer: asks each node once. Partitions that hold nothing yet do not count
select
    coalesce(
        sum(
            case
                when c.relispartition and z.size <= current_setting('block_size')::bigint then 0
                else z.size
            end
        ),
        0
    )::bigint,
    count(*) filter (where z.size is null)
from pg_dist_shard as s
join pg_class as c on c.oid = s.logicalrelid
join pg_namespace as n on n.oid = c.relnamespace
left join citus_shard_sizes() as z on z.shard_id = s.shardid
where n.nspname = 'plimsoll'
