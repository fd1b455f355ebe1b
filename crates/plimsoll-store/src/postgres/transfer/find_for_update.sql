-- the key of a database, with a row lock: samples of it wait until its history is moved
select database_id from plimsoll.databases where instance_id = $1 and name = $2 for update
