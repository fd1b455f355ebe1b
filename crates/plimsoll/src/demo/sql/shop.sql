-- Lookup tables, customers, products, orders with their updates, and what belongs to them.
insert into countries
select chr(65 + n / 26) || chr(65 + n % 26), 'Country ' || n from generate_series(0, 248) as n;
insert into currencies
select 'C' || chr(65 + n / 26) || chr(65 + n % 26), case when n % 9 = 0 then 0 else 2 end
from generate_series(0, 160) as n;
insert into customers (email, country_code, full_name, created_at)
select
    'customer' || n || '@example.org',
    chr(65 + n % 249 / 26) || chr(65 + n % 249 % 26),
    'Customer Number ' || n,
    now() - interval '400 days' * (1 - n / 12000.0)
from generate_series(1, 12000) as n;
insert into products (title, description, price_cents, currency_code)
select 'Product ' || n, repeat('A thing that is well worth having. ', 3 + n % 12), 100 + (n * 37) % 90000, 'CAA'
from generate_series(1, 2000) as n;

insert into orders (customer_id, status, total_cents, created_at, updated_at)
select
    1 + (n * 7907) % 12000, 'new', 500 + (n * 211) % 40000,
    now() - interval '300 days' * (1 - n / 50000.0), now()
from generate_series(1, 50000) as n;
create index orders_customer on orders (customer_id, created_at);
create index orders_open on orders (updated_at) where status in ('new', 'paid');
update orders set status = 'paid', updated_at = now() where id % 3 = 0;
update orders set status = 'shipped', updated_at = now() where id <= 48000;
insert into order_items
select o.id, line, 1 + (o.id * 13 + line * 97) % 2000, 1 + line % 3, 100 + (o.id * 7) % 9000
from orders as o, generate_series(1, 3) as line;
alter table order_items add primary key (order_id, line);
create index order_items_product on order_items (product_id);

insert into notifications (customer_id, channel, message, sent_at)
select 1 + (n * 101) % 12000, (array['mail', 'push'])[1 + n % 2], repeat('Your order is on its way. ', 2 + n % 4), now()
from generate_series(1, 20000) as n;
analyze countries, currencies, customers, products, orders, order_items, notifications;
