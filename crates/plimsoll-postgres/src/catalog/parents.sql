-- reading which table is a child of which: AccessShareLock on pg_inherits; one pass
select i.inhrelid, i.inhparent from pg_inherits i where i.inhseqno = 1
