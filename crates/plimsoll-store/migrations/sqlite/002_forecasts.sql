-- What each database and what is in it are expected to grow by, as of one sample: computed from the
-- history, and replaced as a whole.

create table forecasts (
    instance_id integer not null,
    database_id integer not null,
    -- the newest sample that it is made from
    sample_id integer not null,
    sampled_at integer not null,
    computed_at integer not null,
    took_ms integer not null,
    -- tables in all, and those too young for a forecast
    table_count integer not null,
    young_count integer not null,
    -- why the database has none
    unknown text,
    primary key (instance_id, database_id)
) strict, without rowid;

-- Tables that do not move are not among them.
create table forecast_parts (
    instance_id integer not null,
    database_id integer not null,
    -- d the database, s a schema, p a partition set, t a table, n tables to come and go, r the rest
    kind text not null,
    -- empty where it has none
    schema_name text not null,
    relation_name text not null,
    level_bytes integer not null,
    -- in 90 days: for the order
    grown_bytes integer not null,
    -- JSON: at each horizon
    horizons text not null,
    primary key (instance_id, database_id, kind, schema_name, relation_name)
) strict, without rowid;
