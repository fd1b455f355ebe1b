-- Where another tool told a database's total alone, nobody knows its tables: that is null, and not 0.

create or replace view plimsoll.storage_samples as
select
    s.id,
    i.name as instance,
    d.name as database,
    s.kind,
    s.sampled_at,
    s.total_bytes,
    case when s.table_count <> 0 or s.method not like 'import%' then s.attributed_bytes end as attributed_bytes,
    case when s.table_count <> 0 or s.method not like 'import%' then s.estimated_bytes end as estimated_bytes,
    s.unattributed_bytes,
    s.unmeasured_bytes,
    case when s.table_count <> 0 or s.method not like 'import%' then s.table_count end as table_count,
    s.unread_count,
    s.is_demo,
    (
        select coalesce(json_object_agg(t.table_key, t.size_bytes order by t.table_key), '{}')
        from plimsoll.sample_tables as t
        where t.instance_id = s.instance_id and t.database_id = s.database_id and t.sample_id = s.id
    ) as table_sizes
from plimsoll.samples as s
join plimsoll.databases as d on d.instance_id = s.instance_id and d.database_id = s.database_id
join plimsoll.instances as i on i.instance_id = s.instance_id;
