-- reading replication slots: no locks on relations; each slot's spinlock
select
    s.slot_name::text as name,
    s.slot_type = 'physical' as is_physical,
    s.database::text as database,
    s.temporary as is_temporary,
    s.active as is_active,
    s.wal_status,
    s.safe_wal_size as safe_wal_bytes,
    pg_wal_lsn_diff(s.restart_lsn, '0/0')::int8 as restart,
    {inactive_since} as inactive_since,
    {invalidation_reason} as invalidation_reason
from pg_replication_slots s
