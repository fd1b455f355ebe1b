-- A busy, append-only log: 120,000 events of 120 days.
insert into events (occurred_at, kind, customer_id, payload)
select
    now() - interval '120 days' * (1 - n / 120000.0),
    (array['page_view', 'search', 'add_to_cart', 'checkout', 'login'])[1 + n % 5],
    1 + (n * 7919) % 12000,
    jsonb_build_object(
        'path', '/products/' || (n * 31) % 2000,
        'referrer', 'https://example.org/campaign/' || n % 97,
        'request_id', md5(n::text),
        'duration_ms', (n * 17) % 900,
        'experiment', jsonb_build_object('name', 'checkout-' || n % 7, 'variant', n % 2)
    )
from generate_series(1, 120000) as n;
alter table events add primary key (id);
create index events_occurred_at on events (occurred_at);
create index events_payload on events using gin (payload jsonb_path_ops);
analyze events;
