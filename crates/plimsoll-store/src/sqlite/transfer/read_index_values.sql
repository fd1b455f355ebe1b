-- every point of a database's indexes, along the key
select json_object(
    'row', 'index_value',
    'relation', v.relation_id,
    'tick', v.tick,
    'bytes', v.bytes
)
from index_values as v
where v.instance_id = ?1 and v.database_id = ?2
order by v.relation_id, v.tick
