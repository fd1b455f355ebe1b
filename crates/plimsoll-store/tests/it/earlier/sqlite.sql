BEGIN TRANSACTION;
CREATE TABLE cleanup_runs (
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
CREATE TABLE databases (
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
INSERT INTO "databases" VALUES(1,1,'shop',1331590,'18446744073709551608',1,0,180004,NULL,1768186800,9);
INSERT INTO "databases" VALUES(1,2,'o''ther',11978553,'18446744073709551608',1,0,180004,NULL,1767409201,3);
CREATE TABLE events (
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
INSERT INTO "events" VALUES(1,1,1,3,'rename',1767495600,1767409200250,1767495600250,33576,33576,'public.select became public.renamed');
INSERT INTO "events" VALUES(1,1,2,3,'drop',1767841200,1767754800250,1767841200250,33576,NULL,NULL);
INSERT INTO "events" VALUES(1,1,3,7,'create',1767927600,1767841200250,1767927600250,NULL,1024576,NULL);
CREATE TABLE forecast_parts (
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
INSERT INTO "forecast_parts" VALUES(1,2,'d','','',4096,1,'{"grown":[1,1,1,1,1,1,1,1,1,1],"half80":null,"adjustment":[0,0,0,0,0,0,0,0,0,0]}');
CREATE TABLE forecasts (
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
INSERT INTO "forecasts" VALUES(1,2,2,1767236401250,1768186800250,15,1,0,NULL);
CREATE TABLE former_names (
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
INSERT INTO "former_names" VALUES(1,1,3,1767495600,'public','select','"select"',NULL);
CREATE TABLE index_values (
    instance_id integer not null,
    database_id integer not null,
    relation_id integer not null,
    tick integer not null,
    bytes integer not null,
    primary key (instance_id, database_id, relation_id, tick)
) strict, without rowid;
INSERT INTO "index_values" VALUES(1,1,4,1767236400,16384);
INSERT INTO "index_values" VALUES(1,1,5,1767236400,16384);
INSERT INTO "index_values" VALUES(1,1,6,1767236400,16384);
INSERT INTO "index_values" VALUES(1,1,8,1767927600,16384);
INSERT INTO "index_values" VALUES(1,2,2,1767236401,16384);
CREATE TABLE instances (
    instance_id integer primary key,
    name text not null unique
) strict;
INSERT INTO "instances" VALUES(1,'pri,"mary"
');
CREATE TABLE jobs (
    name text primary key,
    last_started_at integer,
    last_finished_at integer,
    last_outcome text,
    last_message text,
    last_scheduled_for integer,
    -- a run whose process no longer renews this died
    last_beat_at integer
) strict, without rowid;
INSERT INTO "jobs" VALUES('ended',1768186800250,1768186800250,'ok','kept',1768186800250,1768186800250);
INSERT INTO "jobs" VALUES('running',1768186800250,NULL,NULL,NULL,1768186800250,1768186800250);
CREATE TABLE last_shrink (
    only_row integer primary key check (only_row = 1),
    shrunk_at integer not null,
    max_bytes integer not null,
    before_bytes integer not null,
    after_bytes integer not null,
    samples_dropped integer not null,
    dropped_until integer
) strict;
CREATE TABLE migrations (
                number integer primary key,
                name text not null,
                applied_at text not null default (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
            ) strict;
INSERT INTO "migrations" VALUES(1,'001_history','2026-01-12T03:00:00Z');
INSERT INTO "migrations" VALUES(2,'002_forecasts','2026-01-12T03:00:00Z');
CREATE TABLE relations (
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
INSERT INTO "relations" VALUES(1,1,1,20000,'r',NULL,'public','orders',NULL,NULL,20000,20001,20001,20002,20002,1767236400,NULL,190112,0,8192,16384,1000);
INSERT INTO "relations" VALUES(1,1,2,20010,'r',NULL,'Sales; --','we"ird.
🦀','"Sales; --"."we""ird.
🦀"',NULL,20010,20011,20011,20012,20012,1767236400,NULL,70000,0,8192,16384,500);
INSERT INTO "relations" VALUES(1,1,3,20020,'r',NULL,'public','renamed',NULL,NULL,20020,20021,20021,20022,20022,1767236400,1767841200,9000,0,8192,16384,90);
INSERT INTO "relations" VALUES(1,1,4,20003,'i',1,'','orders_pkey',NULL,NULL,20003,NULL,NULL,NULL,NULL,1767236400,NULL,16384,NULL,NULL,0,NULL);
INSERT INTO "relations" VALUES(1,1,5,20013,'i',2,'','we"ird.
🦀_pkey',NULL,NULL,20013,NULL,NULL,NULL,NULL,1767236400,NULL,16384,NULL,NULL,0,NULL);
INSERT INTO "relations" VALUES(1,1,6,20023,'i',3,'','select_pkey',NULL,NULL,20023,NULL,NULL,NULL,NULL,1767236400,1767841200,16384,NULL,NULL,0,NULL);
INSERT INTO "relations" VALUES(1,1,7,20040,'r',NULL,'public','late',NULL,NULL,20040,20041,20041,20042,20042,1767927600,NULL,1000000,0,8192,16384,10000);
INSERT INTO "relations" VALUES(1,1,8,20043,'i',7,'','late_pkey',NULL,NULL,20043,NULL,NULL,NULL,NULL,1767927600,NULL,16384,NULL,NULL,0,NULL);
INSERT INTO "relations" VALUES(1,2,1,16500,'r',NULL,'public','things',NULL,NULL,16500,16501,16501,16502,16502,1767236401,NULL,8192,0,8192,16384,81);
INSERT INTO "relations" VALUES(1,2,2,16503,'i',1,'','things_pkey',NULL,NULL,16503,NULL,NULL,NULL,NULL,1767236401,NULL,16384,NULL,NULL,0,NULL);
CREATE TABLE samples (
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
INSERT INTO "samples" VALUES(1,1,1,1767236400,'daily',1767236400250,NULL,12,'files',1767236400250,1232728,232728,0,1000000,0,3,0,6,0);
INSERT INTO "samples" VALUES(2,1,2,1767236401,'daily',1767236401250,NULL,12,'files',1767236401250,1032768,32768,0,1000000,0,1,0,2,0);
INSERT INTO "samples" VALUES(4,1,2,1767322801,'daily',1767322801250,NULL,12,'files',1767322801250,1032768,32768,0,1000000,0,1,0,0,0);
INSERT INTO "samples" VALUES(5,1,1,1767409200,'daily',1767409200250,NULL,12,'files',1767409200250,1249112,249112,0,1000000,0,3,0,1,0);
INSERT INTO "samples" VALUES(6,1,2,1767409201,'daily',1767409201250,NULL,12,'files',1767409201250,1032768,32768,0,1000000,0,1,0,0,0);
INSERT INTO "samples" VALUES(8,1,1,1767582000,'daily',1767582000250,1767582000250,12,'files',1767582000250,1265496,265496,0,1000000,0,3,0,1,0);
INSERT INTO "samples" VALUES(10,1,1,1767754800,'daily',1767754800250,NULL,12,'files',1767754800250,1301880,301880,0,1000000,0,3,0,2,0);
INSERT INTO "samples" VALUES(12,1,1,1767927600,'daily',1767927600250,NULL,12,'files',1767927600250,2309264,1309264,0,1000000,0,3,0,3,0);
INSERT INTO "samples" VALUES(14,1,1,1768100400,'daily',1768100400250,NULL,12,'files',1768100400250,2325648,1325648,0,1000000,0,3,0,1,0);
INSERT INTO "samples" VALUES(15,1,1,1768186800,'manual',1768186800250,NULL,12,'files',1768186800250,1342032,342032,8192,0,1000000,3,1,1,0);
CREATE TABLE table_values (
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
INSERT INTO "table_values" VALUES(1,1,1,1767236400,100000,0,8192,16384,1000);
INSERT INTO "table_values" VALUES(1,1,1,1767409200,116384,0,8192,16384,1000);
INSERT INTO "table_values" VALUES(1,1,1,1767582000,132768,0,8192,16384,1000);
INSERT INTO "table_values" VALUES(1,1,1,1767754800,149152,0,8192,16384,1000);
INSERT INTO "table_values" VALUES(1,1,1,1767927600,165536,0,8192,16384,1000);
INSERT INTO "table_values" VALUES(1,1,1,1768100400,181920,0,8192,16384,1000);
INSERT INTO "table_values" VALUES(1,1,1,1768186800,190112,0,8192,16384,1000);
INSERT INTO "table_values" VALUES(1,1,2,1767236400,50000,0,8192,16384,500);
INSERT INTO "table_values" VALUES(1,1,2,1767754800,70000,0,8192,16384,500);
INSERT INTO "table_values" VALUES(1,1,3,1767236400,9000,0,8192,16384,90);
INSERT INTO "table_values" VALUES(1,1,7,1767927600,1000000,0,8192,16384,10000);
INSERT INTO "table_values" VALUES(1,2,1,1767236401,8192,0,8192,16384,81);
CREATE TABLE unread (
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
INSERT INTO "unread" VALUES(1,1,2,'h',1767668400,1767754800,'locked',1767582000250);
INSERT INTO "unread" VALUES(1,1,7,'h',1768186800,NULL,'locked',1768100400250);
CREATE UNIQUE INDEX samples_once_scheduled on samples (instance_id, database_id, kind, scheduled_for)
where scheduled_for is not null;
CREATE INDEX relations_by_name on relations (instance_id, database_id, relation_name)
where owner_id is null;
CREATE INDEX indexes_by_owner on relations (instance_id, database_id, owner_id)
where owner_id is not null;
CREATE INDEX relations_by_parent on relations (instance_id, database_id, parent_id)
where parent_id is not null;
CREATE INDEX unread_now on unread (instance_id, database_id) where until_tick is null;
CREATE INDEX events_of_relation on events (instance_id, database_id, relation_id, tick);
CREATE INDEX cleanup_runs_of_database on cleanup_runs (instance, database, id);
CREATE VIEW sample_tables as
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
CREATE VIEW storage_samples as
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
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('samples',15);
COMMIT;
