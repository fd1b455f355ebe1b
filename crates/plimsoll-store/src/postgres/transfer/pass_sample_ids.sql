-- the next sample gets an id above the given ones: no locks
select setval(pg_get_serial_sequence('plimsoll.samples', 'id'), greatest($1::bigint, nextval(pg_get_serial_sequence('plimsoll.samples', 'id'))))
