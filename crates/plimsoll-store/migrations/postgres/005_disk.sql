-- Looks at an instance's volumes: each whole, or what changed since the one before it.

create table plimsoll.disk_looks (
    instance_id integer not null,
    -- minute, hour or day
    step text not null,
    -- seconds since 1970
    tick bigint not null,
    -- JSON; a period's first one is whole
    look text not null,
    primary key (instance_id, step, tick)
);

-- What is kept of the last look only, and what is remembered of the volumes: rewritten each minute.
create table plimsoll.disk_state (
    instance_id integer not null,
    name text not null,
    written_at timestamptz not null,
    -- JSON
    state text not null,
    primary key (instance_id, name)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);
