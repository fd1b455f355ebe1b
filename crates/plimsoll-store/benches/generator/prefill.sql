-- Thirty days of history up to the moment :now, thinned as the retention thins it, for every database
-- that has one sample: daily ones, an hourly one for twelve days, four an hour for two.
insert into plimsoll.samples (
    instance_id, database_id, tick, kind, sampled_at, took_ms, method, total_bytes, attributed_bytes,
    estimated_bytes, unattributed_bytes, unmeasured_bytes, table_count, unread_count, is_demo
)
select
    d.instance_id, d.database_id, extract(epoch from t.at)::bigint, t.kind, t.at, 100, 'files',
    10000000000, 9990000000, 0, 10000000, 0, 200, 0, false
from plimsoll.databases as d
cross join (
    select at, 'daily' as kind
    from generate_series(:now - interval '29 days 21 hours', :now - interval '14 days', '1 day') as at
    union all
    select at, 'watch'
    from generate_series(:now - interval '14 days', :now - interval '49 hours', '1 hour') as at
    union all
    select at, 'watch'
    from generate_series(:now - interval '2 days', :now - interval '15 minutes', '15 minutes') as at
) as t (at, kind)
join plimsoll.instances as i on i.instance_id = d.instance_id and i.name like 'fleet-%';

create temporary view thinned as
select
    r.instance_id, r.database_id, r.relation_id, s.tick, r.owner_id, r.heap_bytes, r.toast_bytes,
    r.toast_index_bytes, r.index_bytes, r.row_count, (s.tick - r.first_tick) / 900 as steps
from plimsoll.relations as r
join plimsoll.samples as s
    on s.instance_id = r.instance_id and s.database_id = r.database_id and s.tick > r.first_tick
join plimsoll.instances as i on i.instance_id = r.instance_id and i.name like 'fleet-%'
-- of the tables, 5 % change in a quarter of an hour, 19 % in an hour, nearly all in a day
where random() < case
    when s.kind = 'daily' then 0.99
    when s.sampled_at < :now - interval '2 days' then 0.19
    else 0.05
end;

insert into plimsoll.table_values
select
    instance_id, database_id, relation_id, tick, heap_bytes + steps * 8192, toast_bytes,
    toast_index_bytes, index_bytes + steps * 2048, row_count + steps * 60
from thinned
where owner_id is null;

insert into plimsoll.index_values
select instance_id, database_id, relation_id, tick, heap_bytes + steps * 2048
from thinned
where owner_id is not null;

update plimsoll.databases as d
set last_tick = (
    select max(s.tick) from plimsoll.samples as s
    where s.instance_id = d.instance_id and s.database_id = d.database_id
);

analyze;
