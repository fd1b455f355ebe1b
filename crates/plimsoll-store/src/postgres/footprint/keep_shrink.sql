-- noting what the cap made go: one row
insert into plimsoll.last_shrink (
    only_row, shrunk_at, max_bytes, before_bytes, after_bytes, samples_dropped, dropped_until
)
values (1, $1, $2, $3, $4, $5, $6)
on conflict (only_row) do update set
    shrunk_at = excluded.shrunk_at,
    max_bytes = excluded.max_bytes,
    before_bytes = excluded.before_bytes,
    after_bytes = excluded.after_bytes,
    samples_dropped = excluded.samples_dropped,
    dropped_until = excluded.dropped_until
