-- Where another tool told a database's total alone, nobody knows its tables: that is null, and not 0.

drop view storage_samples;

create view storage_samples as
select
    s.id,
    i.name as instance,
    d.name as database,
    s.kind,
    strftime(
        iif(s.sampled_at % 1000 = 0, '%Y-%m-%dT%H:%M:%SZ', '%Y-%m-%dT%H:%M:%fZ'),
        s.sampled_at / 1000.0, 'unixepoch'
    ) as sampled_at,
    s.total_bytes,
    iif(s.table_count <> 0 or s.method not like 'import%', s.attributed_bytes, null) as attributed_bytes,
    iif(s.table_count <> 0 or s.method not like 'import%', s.estimated_bytes, null) as estimated_bytes,
    s.unattributed_bytes,
    s.unmeasured_bytes,
    iif(s.table_count <> 0 or s.method not like 'import%', s.table_count, null) as table_count,
    s.unread_count,
    s.is_demo,
    (
        select json_group_object(t.table_key, t.size_bytes)
        from (
            select table_key, size_bytes from sample_tables where sample_id = s.id order by table_key
        ) as t
    ) as table_sizes
from samples as s
join databases as d on d.instance_id = s.instance_id and d.database_id = s.database_id
join instances as i on i.instance_id = s.instance_id;
