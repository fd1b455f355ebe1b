-- samples, with their ids where these are free in the instance: one look into its index each
insert into plimsoll.samples (
    instance_id, database_id, tick, id, kind, sampled_at, scheduled_for, took_ms, method, full_sweep_at, total_bytes, attributed_bytes, estimated_bytes, unattributed_bytes, unmeasured_bytes, table_count, unread_count, is_demo
)
select
    $1::integer, $2::integer,
    r.tick,
    case
        when exists (
            select 1 from plimsoll.samples as s where s.instance_id = $1 and s.id = r.id
        ) or r.id is null then nextval(pg_get_serial_sequence('plimsoll.samples', 'id'))
        else r.id
    end,
    r.kind,
    r.sampled_at,
    -- a scheduled time is stood for once
    case
        when not exists (
            select 1 from plimsoll.samples as s
            where s.instance_id = $1
                and s.database_id = $2
                and s.kind = r.kind
                and s.scheduled_for = r.scheduled_for
        ) then r.scheduled_for
    end,
    r.took_ms,
    r.method,
    r.full_sweep_at,
    r.total_bytes,
    r.attributed_bytes,
    r.estimated_bytes,
    r.unattributed_bytes,
    r.unmeasured_bytes,
    r.table_count,
    r.unread_count,
    r.is_demo
from json_to_recordset($3::text::json) as r (
    tick bigint, id bigint, kind text, sampled_at timestamptz, scheduled_for timestamptz, took_ms bigint, method text, full_sweep_at timestamptz, total_bytes bigint, attributed_bytes bigint, estimated_bytes bigint, unattributed_bytes bigint, unmeasured_bytes bigint, table_count bigint, unread_count bigint, is_demo boolean
)
