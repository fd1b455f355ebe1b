-- The history, keeping what changed only. Every key begins with the instance.
--
-- A *tick* orders the samples of one database: seconds since 1970, made to grow where a clock did not.
-- A value counts from its tick on, until the next one of its relation. The sample with that tick may
-- have been thinned away since; then the value counts from the next sample on.
-- Times are milliseconds since 1970; the view `storage_samples` shows them as text.

create table instances (
    instance_id integer primary key,
    name text not null unique
) strict;

create table databases (
    instance_id integer not null,
    database_id integer not null,
    name text not null,
    oid integer not null,
    -- as text: it has 64 bits without a sign
    system_identifier text,
    timeline integer,
    in_recovery integer not null,
    server_version_num integer not null,
    stats_reset_at integer,
    -- of the newest sample
    last_tick integer not null,
    next_relation_id integer not null,
    primary key (instance_id, database_id),
    unique (instance_id, name)
) strict, without rowid;

create table samples (
    -- never used twice, also after the newest sample was dropped
    id integer primary key autoincrement,
    instance_id integer not null,
    database_id integer not null,
    tick integer not null,
    kind text not null,
    sampled_at integer not null,
    scheduled_for integer,
    took_ms integer not null,
    method text not null,
    full_sweep_at integer,
    total_bytes integer not null,
    attributed_bytes integer not null,
    estimated_bytes integer not null,
    unattributed_bytes integer not null,
    unmeasured_bytes integer not null,
    table_count integer not null,
    -- parts of relations that could not be measured; which ones is in `unread`
    unread_count integer not null,
    -- values that count from it on: those since the sample before it
    value_count integer not null default 0,
    is_demo integer not null,
    unique (instance_id, database_id, tick)
) strict;

create unique index samples_once_scheduled on samples (instance_id, database_id, kind, scheduled_for)
where scheduled_for is not null;

-- Tables and indexes, with their last measured sizes. A table's toast table is part of its row.
create table relations (
    instance_id integer not null,
    database_id integer not null,
    relation_id integer not null,
    oid integer not null,
    -- r table, m materialized view, p partitioned, c catalog, S sequence, i index
    kind text not null,
    -- of an index: its table
    owner_id integer,
    -- empty for an index
    schema_name text not null,
    relation_name text not null,
    -- the key in `table_sizes`, where it is not simply the names as they are
    table_key text,
    -- the table it is a partition of, or inherits from
    parent_id integer,
    filenode integer not null,
    toast_oid integer,
    toast_filenode integer,
    toast_index_oid integer,
    toast_index_filenode integer,
    -- the first sample that shows it, and the first that no longer does
    first_tick integer not null,
    gone_tick integer,
    -- of an index: its bytes
    heap_bytes integer,
    toast_bytes integer,
    toast_index_bytes integer,
    index_bytes integer not null,
    row_count integer,
    primary key (instance_id, database_id, relation_id)
) strict, without rowid;

create index relations_by_name on relations (instance_id, database_id, relation_name)
where owner_id is null;

create index indexes_by_owner on relations (instance_id, database_id, owner_id)
where owner_id is not null;

create index relations_by_parent on relations (instance_id, database_id, parent_id)
where parent_id is not null;

-- What a relation was called, and belonged to, before `until_tick`. Renames are rare: this is small.
create table former_names (
    instance_id integer not null,
    database_id integer not null,
    relation_id integer not null,
    until_tick integer not null,
    schema_name text not null,
    relation_name text not null,
    table_key text,
    parent_id integer,
    primary key (instance_id, database_id, relation_id, until_tick)
) strict, without rowid;

create table table_values (
    instance_id integer not null,
    database_id integer not null,
    relation_id integer not null,
    tick integer not null,
    heap_bytes integer,
    toast_bytes integer,
    toast_index_bytes integer,
    index_bytes integer not null,
    row_count integer,
    primary key (instance_id, database_id, relation_id, tick)
) strict, without rowid;

create table index_values (
    instance_id integer not null,
    database_id integer not null,
    relation_id integer not null,
    tick integer not null,
    bytes integer not null,
    primary key (instance_id, database_id, relation_id, tick)
) strict, without rowid;

-- From when to when a part (h heap, t toast, x toast index) could not be measured: its value then is
-- the last good one, of `last_good_at`.
create table unread (
    instance_id integer not null,
    database_id integer not null,
    relation_id integer not null,
    part text not null,
    from_tick integer not null,
    until_tick integer,
    status text not null,
    last_good_at integer,
    primary key (instance_id, database_id, relation_id, part, from_tick)
) strict, without rowid;

create index unread_now on unread (instance_id, database_id) where until_tick is null;

create table events (
    instance_id integer not null,
    database_id integer not null,
    event_id integer not null,
    -- null: the database as a whole
    relation_id integer,
    kind text not null,
    tick integer not null,
    from_at integer not null,
    to_at integer not null,
    bytes_before integer,
    bytes_after integer,
    detail text,
    primary key (instance_id, database_id, event_id)
) strict, without rowid;

create index events_of_relation on events (instance_id, database_id, relation_id, tick);

create table jobs (
    name text primary key,
    last_started_at integer,
    last_finished_at integer,
    last_outcome text,
    last_message text,
    last_scheduled_for integer,
    -- a run whose process no longer renews this died
    last_beat_at integer
) strict, without rowid;

create table cleanup_runs (
    id integer primary key autoincrement,
    instance text not null,
    database text not null,
    started_at integer not null,
    finished_at integer,
    outcome text not null,
    -- JSON: rows by table
    rows_deleted text not null,
    error text
) strict;

create index cleanup_runs_of_database on cleanup_runs (instance, database, id);

-- What `history.max_bytes` made go, the last time that it did.
create table last_shrink (
    only_row integer primary key check (only_row = 1),
    shrunk_at integer not null,
    max_bytes integer not null,
    before_bytes integer not null,
    after_bytes integer not null,
    samples_dropped integer not null,
    dropped_until integer
) strict;

-- Each table of each sample, with its sizes and its name as they were.
create view sample_tables as
select
    s.id as sample_id,
    r.relation_id,
    case
        when f.relation_id is null then coalesce(
            r.table_key, iif(r.schema_name = 'public', '', r.schema_name || '.') || r.relation_name
        )
        else coalesce(
            f.table_key, iif(f.schema_name = 'public', '', f.schema_name || '.') || f.relation_name
        )
    end as table_key,
    v.heap_bytes + coalesce(v.toast_bytes, 0) + coalesce(v.toast_index_bytes, 0) + v.index_bytes
        as size_bytes,
    v.heap_bytes,
    v.toast_bytes,
    v.toast_index_bytes,
    v.index_bytes,
    v.row_count
from samples as s
join relations as r
    on r.instance_id = s.instance_id
    and r.database_id = s.database_id
    and r.kind in ('r', 'm')
    and r.first_tick <= s.tick
    and (r.gone_tick is null or r.gone_tick > s.tick)
join table_values as v
    on v.instance_id = s.instance_id
    and v.database_id = s.database_id
    and v.relation_id = r.relation_id
    and v.tick = (
        select max(l.tick) from table_values as l
        where l.instance_id = s.instance_id
            and l.database_id = s.database_id
            and l.relation_id = r.relation_id
            and l.tick <= s.tick
    )
left join former_names as f
    on f.instance_id = s.instance_id
    and f.database_id = s.database_id
    and f.relation_id = r.relation_id
    and f.until_tick = (
        select min(l.until_tick) from former_names as l
        where l.instance_id = s.instance_id
            and l.database_id = s.database_id
            and l.relation_id = r.relation_id
            and l.until_tick > s.tick
    )
where v.heap_bytes is not null;

create view storage_samples as
select
    s.id,
    i.name as instance,
    d.name as database,
    s.kind,
    strftime(
        iif(s.sampled_at % 1000 = 0, '%Y-%m-%dT%H:%M:%SZ', '%Y-%m-%dT%H:%M:%fZ'),
        s.sampled_at / 1000.0, 'unixepoch'
    ) as sampled_at,
    s.total_bytes,
    s.attributed_bytes,
    s.estimated_bytes,
    s.unattributed_bytes,
    s.unmeasured_bytes,
    s.table_count,
    s.unread_count,
    s.is_demo,
    (
        select json_group_object(t.table_key, t.size_bytes)
        from (
            select table_key, size_bytes from sample_tables where sample_id = s.id order by table_key
        ) as t
    ) as table_sizes
from samples as s
join databases as d on d.instance_id = s.instance_id and d.database_id = s.database_id
join instances as i on i.instance_id = s.instance_id;
