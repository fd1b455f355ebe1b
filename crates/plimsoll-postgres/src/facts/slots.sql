-- reading replication slots: no locks on relations; each slot's spinlock, as pg_stat_replication's. A slot that
-- was never used, or was lost, keeps nothing (restart_lsn is null). On a standby the present position is what was
-- received, or replayed where nothing is received.
select
    s.slot_name as name,
    s.active as is_active,
    s.wal_status,
    s.safe_wal_size as safe_wal_bytes,
    case
        when s.restart_lsn is null then 0
        else pg_wal_lsn_diff(
            case
                when pg_is_in_recovery() then greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
                else pg_current_wal_lsn()
            end,
            s.restart_lsn
        )::int8
    end as retained_bytes
from pg_replication_slots s
