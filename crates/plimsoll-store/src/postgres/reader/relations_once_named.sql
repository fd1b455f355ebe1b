-- which relations had a name before: by index; no locks that block anybody
select relation_id from plimsoll.former_names
where instance_id = $1 and database_id = $2 and relation_name = $3 and schema_name = $4
