-- A run belongs to who claimed it.

alter table plimsoll.jobs
    -- what only the holder of the claim knows; null while nobody holds it
    add column token text,
    -- the scheduled time last begun that lay in the future by this server's clock: whoever claimed it
    -- had a clock that was ahead, and must not keep the others from running
    add column ahead_for timestamptz;
