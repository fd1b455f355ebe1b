-- What a fleet's store needs: to know its databases, and whose turn it is, without asking any shard.

-- Each database that has a sample, by its present name. Where Citus distributes the history, this and
-- `instances` stay on the coordinator: one node that is down hides no other's databases.
create table plimsoll.database_names (
    instance_id integer not null,
    database_id integer not null,
    name text not null,
    primary key (instance_id, database_id)
);

insert into plimsoll.database_names (instance_id, database_id, name)
select instance_id, database_id, name from plimsoll.databases where last_tick is not null;

-- Which process makes the store smaller, and until when it may be taken for dead.
create table plimsoll.shrink_turn (
    only_row integer primary key check (only_row = 1),
    token text not null,
    until timestamptz not null
);
