-- A total that nobody knows is null. SQLite takes a `not null` away only with the table, which is small: a row a
-- sample.

drop view storage_samples;
drop view sample_tables;

create table samples_of_now (
    -- never used twice, also after the newest sample was dropped
    id integer primary key autoincrement,
    instance_id integer not null,
    database_id integer not null,
    tick integer not null,
    kind text not null,
    sampled_at integer not null,
    scheduled_for integer,
    took_ms integer not null,
    method text not null,
    full_sweep_at integer,
    -- null where nobody could say
    total_bytes integer,
    attributed_bytes integer not null,
    estimated_bytes integer not null,
    unattributed_bytes integer,
    unmeasured_bytes integer,
    table_count integer not null,
    -- parts of relations that could not be measured; which ones is in `unread`
    unread_count integer not null,
    -- values that count from it on: those since the sample before it
    value_count integer not null default 0,
    is_demo integer not null,
    unique (instance_id, database_id, tick)
) strict;

insert into samples_of_now (
    id, instance_id, database_id, tick, kind, sampled_at, scheduled_for, took_ms, method, full_sweep_at,
    total_bytes, attributed_bytes, estimated_bytes, unattributed_bytes, unmeasured_bytes, table_count,
    unread_count, value_count, is_demo
)
select
    id, instance_id, database_id, tick, kind, sampled_at, scheduled_for, took_ms, method, full_sweep_at,
    total_bytes, attributed_bytes, estimated_bytes, unattributed_bytes, unmeasured_bytes, table_count,
    unread_count, value_count, is_demo
from samples;

-- no id is used twice, also of samples that are gone
insert into sqlite_sequence (name, seq)
select 'samples_of_now', 0
where not exists (select 1 from sqlite_sequence where name = 'samples_of_now');

update sqlite_sequence
set seq = coalesce((select max(s.seq) from sqlite_sequence as s where s.name = 'samples'), 0)
where name = 'samples_of_now';

drop table samples;
alter table samples_of_now rename to samples;

create unique index samples_once_scheduled on samples (instance_id, database_id, kind, scheduled_for)
where scheduled_for is not null;

-- Each table of each sample, with its sizes and its name as they were.
create view sample_tables as
select
    s.id as sample_id,
    r.relation_id,
    case
        when f.relation_id is null then coalesce(
            r.table_key, iif(r.schema_name = 'public', '', r.schema_name || '.') || r.relation_name
        )
        else coalesce(
            f.table_key, iif(f.schema_name = 'public', '', f.schema_name || '.') || f.relation_name
        )
    end as table_key,
    v.heap_bytes + coalesce(v.toast_bytes, 0) + coalesce(v.toast_index_bytes, 0) + v.index_bytes
        as size_bytes,
    v.heap_bytes,
    v.toast_bytes,
    v.toast_index_bytes,
    v.index_bytes,
    v.row_count
from samples as s
join relations as r
    on r.instance_id = s.instance_id
    and r.database_id = s.database_id
    and r.kind in ('r', 'm')
    and r.first_tick <= s.tick
    and (r.gone_tick is null or r.gone_tick > s.tick)
join table_values as v
    on v.instance_id = s.instance_id
    and v.database_id = s.database_id
    and v.relation_id = r.relation_id
    and v.tick = (
        select max(l.tick) from table_values as l
        where l.instance_id = s.instance_id
            and l.database_id = s.database_id
            and l.relation_id = r.relation_id
            and l.tick <= s.tick
    )
left join former_names as f
    on f.instance_id = s.instance_id
    and f.database_id = s.database_id
    and f.relation_id = r.relation_id
    and f.until_tick = (
        select min(l.until_tick) from former_names as l
        where l.instance_id = s.instance_id
            and l.database_id = s.database_id
            and l.relation_id = r.relation_id
            and l.until_tick > s.tick
    )
where v.heap_bytes is not null;

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
    s.attributed_bytes,
    s.estimated_bytes,
    s.unattributed_bytes,
    s.unmeasured_bytes,
    s.table_count,
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
