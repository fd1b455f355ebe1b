-- reading positions: no locks; a few values of shared memory
-- On a standby the position is what was received, or replayed where nothing is received.
select
    pg_is_in_recovery() as in_recovery,
    pg_wal_lsn_diff(
        case
            when pg_is_in_recovery() then greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
            else pg_current_wal_lsn()
        end,
        '0/0'
    )::int8 as position,
    pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::int8 as replayed,
    pg_last_xact_replay_timestamp() as replayed_at,
    case when pg_is_in_recovery() then pg_is_wal_replay_paused() else false end as is_paused,
    {summarized} as summarized,
    has_function_privilege('pg_ls_dir(text, boolean, boolean)', 'execute')
        and has_function_privilege('pg_stat_file(text, boolean)', 'execute') as files,
    has_function_privilege('pg_ls_waldir()', 'execute') as ls_waldir,
    has_function_privilege('pg_ls_archive_statusdir()', 'execute') as ls_archive_statusdir,
    has_function_privilege('pg_ls_tmpdir(oid)', 'execute') as ls_tmpdir,
    has_function_privilege('pg_ls_logdir()', 'execute') as ls_logdir,
    coalesce(has_function_privilege(to_regprocedure('pg_ls_replslotdir(text)'), 'execute'), false) as ls_replslotdir,
    has_function_privilege('pg_control_checkpoint()', 'execute') as control_checkpoint
