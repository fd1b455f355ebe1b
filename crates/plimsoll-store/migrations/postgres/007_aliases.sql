-- A database is asked for by another name than its own, behind a pooler.

create table plimsoll.aliases (
    instance text not null,
    alias text not null,
    -- the name of the database that it led to at the last visit
    database text not null,
    primary key (instance, alias)
);
