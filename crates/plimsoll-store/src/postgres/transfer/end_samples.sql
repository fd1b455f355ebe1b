-- a database's first sample and its last one: two look-ups by key
select json_build_object(
    'tick', s.tick, 'sampled_at', s.sampled_at, 'method', s.method, 'total_bytes', s.total_bytes
)::text
from plimsoll.samples as s
where s.instance_id = $1 and s.database_id = $2
    and s.tick in (
        (
            select min(f.tick) from plimsoll.samples as f
            where f.instance_id = $1 and f.database_id = $2
        ),
        (
            select max(l.tick) from plimsoll.samples as l
            where l.instance_id = $1 and l.database_id = $2
        )
    )
