-- Sessions with deletes, documents out of line, a bloated queue, the audit log, measurements.
insert into sessions
select
    md5('session' || n)::uuid, 1 + n % 12000, now() - interval '9 days' * random(), now(),
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/' || 90 + n % 40
from generate_series(1, 50000) as n;
alter table sessions add primary key (token);
create index sessions_last_seen on sessions (last_seen_at);
delete from sessions where started_at < now() - interval '7 days';

insert into documents (title, mime_type, body, created_at)
select
    'Invoice ' || n, 'application/pdf',
    convert_to(repeat(md5(n::text), 300 + (n * 53) % 1400), 'UTF8'),
    now() - interval '200 days' * (1 - n / 900.0)
from generate_series(1, 900) as n;

insert into job_queue (kind, arguments)
select (array['send_mail', 'resize_image', 'export'])[1 + n % 3], jsonb_build_object('n', n, 'key', md5(n::text))
from generate_series(1, 40000) as n;
update job_queue set state = 'running', attempts = 1;
delete from job_queue where id % 40 <> 0;

insert into audit.log (at, actor, action, before, after)
select
    now() - interval '200 days' * (1 - n / 50000.0), 'user' || n % 40, 'update',
    jsonb_build_object('status', 'new', 'total', n % 9000),
    jsonb_build_object('status', 'paid', 'total', n % 9000, 'note', md5(n::text))
from generate_series(1, 50000) as n;
alter table audit.log add primary key (id);

insert into metrics.sensors select n, 'sensor ' || n from generate_series(1, 200) as n;
insert into metrics.measurements
select 1 + n % 200, at, 20 + 5 * sin(n / 5000.0)
from (
    select n, date_trunc('month', now() at time zone 'UTC') at time zone 'UTC' - interval '150 days'
        + interval '1 minute' * n as at
    from generate_series(1, 264000) as n
) as series
where at < now();
create index measurements_sensor on metrics.measurements (sensor_id, measured_at);
create materialized view metrics.daily_averages as
select sensor_id, measured_at::date as day, avg(value) as average, count(*) as measurements
from metrics.measurements
group by sensor_id, measured_at::date;
analyze sessions, documents, job_queue, audit.log, metrics.sensors, metrics.measurements, metrics.daily_averages;
