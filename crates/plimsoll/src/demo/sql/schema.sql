-- The demo's application: a small shop that also collects measurements.
-- Runs once, on an empty database of the demo's own server.

create table countries (
    code char(2) primary key,
    name text not null
);
create table currencies (
    code char(3) primary key,
    decimals smallint not null
);
create table customers (
    id bigint generated always as identity primary key,
    email text not null unique,
    country_code char(2) not null references countries,
    full_name text not null,
    created_at timestamptz not null
);
create table products (
    id bigint generated always as identity primary key,
    title text not null,
    description text not null,
    price_cents int not null,
    currency_code char(3) not null references currencies
);
create table orders (
    id bigint generated always as identity primary key,
    customer_id bigint not null,
    status text not null,
    total_cents int not null,
    created_at timestamptz not null,
    updated_at timestamptz not null
) with (fillfactor = 90);
create table order_items (
    order_id bigint not null,
    line smallint not null,
    product_id bigint not null,
    quantity smallint not null,
    price_cents int not null
);
create table events (
    id bigint generated always as identity,
    occurred_at timestamptz not null,
    kind text not null,
    customer_id bigint,
    payload jsonb not null
);
create table sessions (
    token uuid not null,
    customer_id bigint not null,
    started_at timestamptz not null,
    last_seen_at timestamptz not null,
    user_agent text not null
);
create table documents (
    id bigint generated always as identity primary key,
    title text not null,
    mime_type text not null,
    body bytea not null,
    created_at timestamptz not null
);
-- What is stored is compressed already, as scans and PDFs are.
alter table documents alter column body set storage external;
create table notifications (
    id bigint generated always as identity primary key,
    customer_id bigint not null,
    channel text not null,
    message text not null,
    sent_at timestamptz
);
-- Nothing vacuums the queue: the classic way in which a small table becomes a large one.
create table job_queue (
    id bigint generated always as identity primary key,
    kind text not null,
    arguments jsonb not null,
    state text not null default 'waiting',
    attempts smallint not null default 0,
    run_at timestamptz not null default now()
) with (autovacuum_enabled = false);

create schema audit;
create table audit.log (
    id bigint generated always as identity,
    at timestamptz not null,
    actor text not null,
    action text not null,
    before jsonb,
    after jsonb
);

create schema metrics;
create table metrics.sensors (
    id int primary key,
    name text not null
);
create table metrics.measurements (
    sensor_id int not null,
    measured_at timestamptz not null,
    value double precision not null
) partition by range (measured_at);
create table metrics.measurements_default partition of metrics.measurements default;
-- A partition a month: six are kept, and the next is made ahead.
do $$
declare
    first date := date_trunc('month', now() at time zone 'UTC')::date;
    month date;
begin
    for i in -5..1 loop
        month := first + make_interval(months => i);
        execute format(
            'create table metrics.%I partition of metrics.measurements for values from (%L) to (%L)',
            'measurements_' || to_char(month, 'YYYY_MM'),
            month || ' 00:00+00',
            (month + interval '1 month')::date || ' 00:00+00'
        );
    end loop;
end
$$;
