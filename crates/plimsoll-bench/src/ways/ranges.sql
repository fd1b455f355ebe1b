-- the OIDs between which there are 12,000 relations each
select min(r.oid), max(r.oid)
from (
    select c.oid, (row_number() over (order by c.oid) - 1) / 12000 as part
    from pg_class c
    where c.relkind in ('r', 'm', 't', 'i', 'S') and not c.relisshared
) r
group by r.part
order by r.part
