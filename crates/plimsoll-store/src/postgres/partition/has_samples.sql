-- whether any database has a sample of a week: ends at the first one, or passes over all samples
select exists (select 1 from plimsoll.samples where tick >= $1 and tick < $2)
