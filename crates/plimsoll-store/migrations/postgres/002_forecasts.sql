-- What each database and what is in it are expected to grow by, as of one sample: computed from the
-- history, and replaced as a whole.

create table plimsoll.forecasts (
    instance_id integer not null,
    database_id integer not null,
    -- the newest sample that it is made from
    sample_id bigint not null,
    sampled_at timestamptz not null,
    computed_at timestamptz not null,
    took_ms bigint not null,
    -- tables in all, and those too young for a forecast
    table_count bigint not null,
    young_count bigint not null,
    -- why the database has none
    unknown text,
    primary key (instance_id, database_id)
);

-- Tables that do not move are not among them.
create table plimsoll.forecast_parts (
    instance_id integer not null,
    database_id integer not null,
    -- d the database, s a schema, p a partition set, t a table, n tables to come and go, r the rest
    kind text not null,
    -- empty where it has none
    schema_name text not null,
    relation_name text not null,
    level_bytes bigint not null,
    -- in 90 days: for the order
    grown_bytes bigint not null,
    -- JSON: at each horizon
    horizons text not null,
    primary key (instance_id, database_id, kind, schema_name, relation_name)
);
