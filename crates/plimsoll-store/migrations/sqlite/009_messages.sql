-- Messages about alerts: a row before it is sent, and what became of it.

create table alert_messages (
    id integer primary key autoincrement,
    channel text not null,
    alert_id integer not null,
    -- opened, escalated, reminder or resolved
    event text not null,
    -- which of its event, from 1 on
    number integer not null,
    -- empty for what instances share, such as a volume
    instance text not null,
    severity text not null,
    -- JSON, as the sender writes it
    message text not null,
    created_at integer not null,
    next_try_at integer not null,
    tries integer not null default 0,
    -- why the last try failed
    error text,
    -- null while it waits
    ended_at integer,
    -- sent, given_up, rejected or unwanted
    fate text,
    unique (alert_id, channel, event, number)
) strict;

create index alert_messages_that_wait on alert_messages (channel, id) where ended_at is null;
