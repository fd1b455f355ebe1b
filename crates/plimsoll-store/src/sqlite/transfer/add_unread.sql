-- what could not be measured: few rows
insert into unread (
    instance_id, database_id, relation_id, part, from_tick, until_tick, status, last_good_at
)
select
    ?1, ?2,
    value ->> 'relation',
    value ->> 'part',
    value ->> 'from_tick',
    value ->> 'until_tick',
    value ->> 'status',
    cast(round(unixepoch(value ->> 'last_good_at', 'subsec') * 1000) as integer)
from json_each(?3)
where true
on conflict do nothing
