-- reading pg_control: no locks; the server reads one file of 8 kB, twice
select s.system_identifier, c.timeline_id as timeline
from pg_control_system() s, pg_control_checkpoint() c
