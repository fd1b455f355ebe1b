-- A total that nobody knows is null.

alter table plimsoll.samples
    alter column total_bytes drop not null,
    alter column unattributed_bytes drop not null,
    alter column unmeasured_bytes drop not null;
