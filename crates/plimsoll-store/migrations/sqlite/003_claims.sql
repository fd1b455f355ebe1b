-- A run belongs to who claimed it.

-- what only the holder of the claim knows; null while nobody holds it
alter table jobs add column token text;
-- the scheduled time last begun that lay in the future by this machine's clock: whoever claimed it had a
-- clock that was ahead, and must not keep the others from running
alter table jobs add column ahead_for integer;
