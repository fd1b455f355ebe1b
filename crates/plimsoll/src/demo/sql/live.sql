-- One beat of the application's life: some 10 kB of new rows, some updates, some deletes.
insert into events (occurred_at, kind, customer_id, payload)
select
    now(), (array['page_view', 'search', 'add_to_cart', 'checkout', 'login'])[1 + n % 5], 1 + (random() * 11999)::int,
    jsonb_build_object(
        'path', '/products/' || (random() * 2000)::int, 'request_id', md5(random()::text),
        'duration_ms', (random() * 900)::int
    )
from generate_series(1, 20) as n;

with placed as (
    insert into orders (customer_id, status, total_cents, created_at, updated_at)
    select 1 + (random() * 11999)::int, 'new', 500 + (random() * 40000)::int, now(), now()
    from generate_series(1, 4)
    returning id
)
insert into order_items
select id, line, 1 + (random() * 1999)::int, 1, 100 + (random() * 9000)::int
from placed, generate_series(1, 3) as line;

update orders set status = 'shipped', updated_at = now()
where id in (select id from orders where status in ('new', 'paid') order by updated_at limit 5);

insert into sessions
select md5(random()::text)::uuid, 1 + (random() * 11999)::int, now(), now(), 'Mozilla/5.0 (X11; Linux x86_64)'
from generate_series(1, 10);
delete from sessions
where token in (select token from sessions order by last_seen_at limit 8);

insert into job_queue (kind, arguments)
select 'send_mail', jsonb_build_object('key', md5(random()::text)) from generate_series(1, 15);
update job_queue set state = 'running', attempts = attempts + 1
where id in (select id from job_queue where state = 'waiting' limit 15);
delete from job_queue
where id in (select id from job_queue where state = 'running' order by id limit 15);

insert into audit.log (at, actor, action, after)
select now(), 'user' || n, 'update', jsonb_build_object('note', md5(random()::text)) from generate_series(1, 5) as n;

insert into metrics.measurements
select 1 + (random() * 199)::int, clock_timestamp(), 20 + random() from generate_series(1, 20);

insert into notifications (customer_id, channel, message)
select 1 + (random() * 11999)::int, 'push', repeat('Your order is on its way. ', 3) from generate_series(1, 3);

-- About every tenth beat somebody uploads something.
insert into documents (title, mime_type, body, created_at)
select 'Scan', 'application/pdf', convert_to(repeat(md5(random()::text), 900), 'UTF8'), now()
where random() < 0.1;
