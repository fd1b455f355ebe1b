-- Alerts: where each rule stands with each of its subjects, and the episodes that were.

create table alert_states (
    -- empty for what instances share, such as a volume
    instance text not null,
    alert_type text not null,
    -- JSON
    subject text not null,
    state text not null,
    -- of the episode that is open
    alert_id integer,
    primary key (instance, alert_type, subject)
) strict, without rowid;

create table alerts (
    id integer primary key autoincrement,
    instance text not null,
    alert_type text not null,
    -- the highest that it had
    severity text not null,
    database text,
    schema_name text,
    table_name text,
    volume text,
    -- what else tells it from others: a slot, a policy
    name text,
    since integer not null,
    created_at integer not null,
    evaluated_at integer not null,
    resolved_at integer,
    -- condition or hand
    resolved_by text,
    comment text,
    message text not null,
    -- JSON: value, threshold, unit, bytes now and before
    reading text not null,
    -- JSON: what the change is made of
    contributors text not null
) strict;

create index alerts_that_fire on alerts (instance, id) where resolved_at is null;
create index alerts_of_database on alerts (instance, database, resolved_at);

-- What holds back messages: once, or each time that a schedule names.
create table alert_silences (
    id integer primary key autoincrement,
    -- of subjects
    pattern text not null,
    -- null stands for all
    alert_type text,
    from_at integer not null,
    -- null for one that recurs
    until_at integer,
    -- of one that recurs: in UTC, and how long each time
    cron text,
    length_seconds integer,
    who text not null,
    why text not null,
    created_at integer not null
) strict;
