-- reading which transactions are under way: no locks. The oldest one, and the next one to begin: a snapshot
-- ends after the last one that completed, and age() counts from there to the next.
select
    s.now::text,
    pg_snapshot_xmin(s.now)::text::int8,
    pg_snapshot_xmax(s.now)::text::int8 + age(pg_snapshot_xmax(s.now)::xid)
from (select pg_current_snapshot() as now) s
