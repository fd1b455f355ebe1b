-- a database's first sample and its last one: two look-ups by key
select json_object(
    'tick', s.tick,
    'sampled_at', strftime('%Y-%m-%dT%H:%M:%fZ', s.sampled_at / 1000.0, 'unixepoch'),
    'method', s.method,
    'total_bytes', s.total_bytes
)
from samples as s
where s.instance_id = ?1 and s.database_id = ?2
    and s.tick in (
        (select min(f.tick) from samples as f where f.instance_id = ?1 and f.database_id = ?2),
        (select max(l.tick) from samples as l where l.instance_id = ?1 and l.database_id = ?2)
    )
