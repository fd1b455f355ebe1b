-- taking the turn to make the store smaller, unless another process has it: one row. Who died with it keeps
-- it for a while; no session holds it, since a pooler may give each transaction another one
insert into plimsoll.shrink_turn as t (only_row, token, until)
values (1, $1, clock_timestamp() + interval '15 minutes')
on conflict (only_row) do update set token = excluded.token, until = excluded.until
where t.until < clock_timestamp()
