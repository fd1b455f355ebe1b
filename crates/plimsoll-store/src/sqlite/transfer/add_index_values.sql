-- points of indexes, many in one statement
insert into index_values (
    instance_id, database_id, relation_id, tick, bytes
)
select
    ?1, ?2,
    value ->> 'relation',
    value ->> 'tick',
    value ->> 'bytes'
from json_each(?3)
where true
on conflict do nothing
