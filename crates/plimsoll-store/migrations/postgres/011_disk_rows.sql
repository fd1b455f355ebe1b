-- PostgreSQL keeps rows in the order of writing: what SQLite's table of looks was made anew for is so here already.

comment on table plimsoll.disk_looks is 'looks at the volumes of an instance, as they were written';
