-- events in their order, unless they are there
insert into events (
    instance_id, database_id, event_id, relation_id, kind, tick, from_at, to_at, bytes_before, bytes_after, detail
)
select
    ?1, ?2,
    (select coalesce(max(e.event_id), 0) from events as e
        where e.instance_id = ?1 and e.database_id = ?2) + row_number() over (order by key),
    value ->> 'relation',
    value ->> 'kind',
    value ->> 'tick',
    cast(round(unixepoch(value ->> 'from_at', 'subsec') * 1000) as integer),
    cast(round(unixepoch(value ->> 'to_at', 'subsec') * 1000) as integer),
    value ->> 'bytes_before',
    value ->> 'bytes_after',
    value ->> 'detail'
from json_each(?3)
where not exists (
    select 1 from events as e
    where e.instance_id = ?1 and e.database_id = ?2 and e.tick = value ->> 'tick'
        and e.kind = value ->> 'kind' and e.relation_id is value ->> 'relation'
        and e.from_at is cast(round(unixepoch(value ->> 'from_at', 'subsec') * 1000) as integer)
        and e.to_at is cast(round(unixepoch(value ->> 'to_at', 'subsec') * 1000) as integer)
        and e.bytes_before is value ->> 'bytes_before' and e.bytes_after is value ->> 'bytes_after'
        and e.detail is value ->> 'detail'
)
