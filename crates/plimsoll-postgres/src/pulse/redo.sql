-- reading the last checkpoint: no locks on relations; the control file is read
select pg_wal_lsn_diff(redo_lsn, '0/0')::int8 as redo, checkpoint_time from pg_control_checkpoint()
