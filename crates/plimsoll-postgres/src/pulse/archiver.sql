-- reading the archiver's counters: no locks; its row of the statistics
select a.last_archived_wal, a.last_archived_time, a.failed_count, a.last_failed_wal, a.last_failed_time
from pg_stat_archiver a
