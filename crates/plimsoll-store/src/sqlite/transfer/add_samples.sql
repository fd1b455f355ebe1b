-- samples, with their ids where these are free: these come first, so that no new id takes one of theirs
insert into samples (
    instance_id, database_id, tick, id, kind, sampled_at, scheduled_for, took_ms, method, full_sweep_at, total_bytes, attributed_bytes, estimated_bytes, unattributed_bytes, unmeasured_bytes, table_count, unread_count, is_demo
)
select
    ?1, ?2,
    value ->> 'tick',
    iif(exists(select 1 from samples as s where s.id = value ->> 'id'), null, value ->> 'id') as free_id,
    value ->> 'kind',
    cast(round(unixepoch(value ->> 'sampled_at', 'subsec') * 1000) as integer),
    -- a scheduled time is stood for once
    (
        select n.at from (
            select cast(round(unixepoch(value ->> 'scheduled_for', 'subsec') * 1000) as integer) as at
        ) as n
        where not exists (
            select 1 from samples as s
            where s.instance_id = ?1 and s.database_id = ?2 and s.kind = value ->> 'kind'
                and s.scheduled_for = n.at
        )
    ),
    value ->> 'took_ms',
    value ->> 'method',
    cast(round(unixepoch(value ->> 'full_sweep_at', 'subsec') * 1000) as integer),
    value ->> 'total_bytes',
    value ->> 'attributed_bytes',
    value ->> 'estimated_bytes',
    value ->> 'unattributed_bytes',
    value ->> 'unmeasured_bytes',
    value ->> 'table_count',
    value ->> 'unread_count',
    value ->> 'is_demo'
from json_each(?3)
order by free_id is null, free_id, key
