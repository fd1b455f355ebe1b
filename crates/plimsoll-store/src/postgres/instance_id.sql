-- the key of an instance: asked for first, so that what follows names it and is routed to one shard
select instance_id from plimsoll.instances where name = $1
