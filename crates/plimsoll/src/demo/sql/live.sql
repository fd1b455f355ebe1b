-- The application's life for a part of a day, {days}: as fast as the made-up history says that it was before, table by
-- table. What is less than one row comes by chance, so that it is right in the long run.
insert into events (occurred_at, kind, customer_id, payload)
select
    now(), (array['page_view', 'search', 'add_to_cart', 'checkout', 'login'])[1 + n % 5], 1 + (random() * 11999)::int,
    jsonb_build_object(
        'path', '/products/' || (random() * 2000)::int,
        'referrer', 'https://example.org/campaign/' || (random() * 97)::int,
        'request_id', md5(random()::text),
        'duration_ms', (random() * 900)::int,
        'experiment', jsonb_build_object('name', 'checkout-' || n % 7, 'variant', n % 2)
    )
from generate_series(1, floor(900 * {days} + random())::int) as n;

with placed as (
    insert into orders (customer_id, status, total_cents, created_at, updated_at)
    select 1 + (random() * 11999)::int, 'new', 500 + (random() * 40000)::int, now(), now()
    from generate_series(1, floor(250 * {days} + random())::int)
    returning id
)
insert into order_items
select id, line, 1 + (random() * 1999)::int, 1, 100 + (random() * 9000)::int
from placed, generate_series(1, 3) as line;

update orders set status = 'shipped', updated_at = now()
where id in (
    select id from orders
    where status in ('new', 'paid')
    order by updated_at limit floor(250 * {days} + random())::int
);

insert into sessions
select md5(random()::text)::uuid, 1 + (random() * 11999)::int, now(), now(), 'Mozilla/5.0 (X11; Linux x86_64)'
from generate_series(1, floor(5500 * {days} + random())::int);
delete from sessions where started_at < now() - interval '7 days';

insert into job_queue (kind, arguments)
select 'send_mail', jsonb_build_object('key', md5(random()::text))
from generate_series(1, floor(1200 * {days} + random())::int);
update job_queue set state = 'running', attempts = attempts + 1 where state = 'waiting';
delete from job_queue
where id in (select id from job_queue where state = 'running' order by id limit floor(1200 * {days} + random())::int);

insert into audit.log (at, actor, action, before, after)
select
    now(), 'user' || n % 40, 'update', jsonb_build_object('status', 'new'),
    jsonb_build_object('status', 'paid', 'note', md5(random()::text))
from generate_series(1, floor(270 * {days} + random())::int) as n;

insert into metrics.measurements
select 1 + (random() * 199)::int, clock_timestamp(), 20 + random()
from generate_series(1, floor(1440 * {days} + random())::int);

insert into notifications (customer_id, channel, message)
select 1 + (random() * 11999)::int, 'push', repeat('Your order is on its way. ', 3)
from generate_series(1, floor(750 * {days} + random())::int);

insert into documents (title, mime_type, body, created_at)
select 'Scan', 'application/pdf', convert_to(repeat(md5(random()::text), 900), 'UTF8'), now()
from generate_series(1, floor(9 * {days} + random())::int);
