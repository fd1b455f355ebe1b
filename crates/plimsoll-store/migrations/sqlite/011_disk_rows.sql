-- Looks of three steps are written in turn, each at the end of its own. In the order of the key each of them fills a page
-- of its own by half, and what is longer than a quarter of a page lies beside it in another; in that of writing, pages
-- are full.

create table disk_looks_in_order (
    instance_id integer not null,
    -- minute, hour or day
    step text not null,
    -- seconds since 1970
    tick integer not null,
    -- JSON; a period's first one is whole
    look text not null,
    primary key (instance_id, step, tick)
) strict;

insert into disk_looks_in_order (instance_id, step, tick, look)
select instance_id, step, tick, look from disk_looks order by tick, step;

drop table disk_looks;

alter table disk_looks_in_order rename to disk_looks;
