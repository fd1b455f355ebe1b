-- deleting relations that are gone and that no sample shows any more, with their values: looks at gone
-- relations only; row locks on what it deletes
with ended as (
    delete from plimsoll.relations as r
    where r.instance_id = $1
        and r.database_id = $2
        and r.gone_tick <= (
            select min(s.tick) from plimsoll.samples as s
            where s.instance_id = $1 and s.database_id = $2
        )
        and not exists (
            select 1 from plimsoll.events as e
            where e.instance_id = $1 and e.database_id = $2 and e.relation_id = r.relation_id
        )
    returning r.relation_id
),

table_values as (
    delete from plimsoll.table_values
    where instance_id = $1
        and database_id = $2
        and relation_id in (select relation_id from ended)
)

delete from plimsoll.index_values
where instance_id = $1
    and database_id = $2
    and relation_id in (select relation_id from ended)
