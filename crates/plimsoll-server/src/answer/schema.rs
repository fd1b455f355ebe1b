//! How the domain's own words appear in the specification: strings with their allowed values.

use plimsoll_core::alert::{AlertType, ResolvedBy, Severity, Unit};
use plimsoll_core::capacity::CapacitySource;
use plimsoll_core::snapshot::{Method, TableKind};
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

fn words(description: &str, words: &[&str]) -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .enum_values(Some(words.iter().copied()))
        .description(Some(description))
        .build()
}

fn words_or_null(description: &str, allowed: &[&str]) -> Object {
    let mut object = words(description, allowed);
    object.schema_type = SchemaType::Array(vec![Type::String, Type::Null]);
    if let Some(values) = &mut object.enum_values {
        values.push(serde_json::Value::Null);
    }
    object
}

pub(crate) fn status() -> Object {
    words(
        "Why the number is or is not a measured one: the worst of the table's parts",
        &plimsoll_core::size::Status::ALL.map(plimsoll_core::size::Status::as_str),
    )
}

pub(crate) fn status_or_null() -> Object {
    let mut object = status();
    object.schema_type = SchemaType::Array(vec![Type::String, Type::Null]);
    if let Some(values) = &mut object.enum_values {
        values.push(serde_json::Value::Null);
    }
    object
}

pub(crate) fn persistence_or_null() -> Object {
    words_or_null(
        "`pg_class.relpersistence`",
        &["permanent", "unlogged", "temporary"],
    )
}

pub(crate) fn size_source() -> Object {
    words(
        "What the number is: the least certain of the table's parts; `size_bytes` is null only for `none`",
        &["measured", "last_good", "relpages", "none"],
    )
}

pub(crate) fn alert_type() -> Object {
    words("Which rule opened it", &AlertType::NAMES)
}

pub(crate) fn alert_type_or_null() -> Object {
    words_or_null("Which alerts; null is all", &AlertType::NAMES)
}

pub(crate) fn severity() -> Object {
    words(
        "The highest that it had",
        &Severity::ALL.map(Severity::as_str),
    )
}

pub(crate) fn alert_unit() -> Object {
    words(
        "The unit of `value` and `threshold`",
        &Unit::ALL.map(Unit::as_str),
    )
}

pub(crate) fn resolved_by_or_null() -> Object {
    words_or_null(
        "Why it ended: its condition did, somebody closed it, no rule judges it any more, nobody watches it any more, or it \
         is gone; null while it fires",
        &ResolvedBy::ALL.map(ResolvedBy::as_str),
    )
}

pub(crate) fn alert_state() -> Object {
    words("Whether it fires", &["firing", "resolved"])
}

pub(crate) fn delivery_state() -> Object {
    words("How it stands", &["waits", "sent", "given_up", "rejected"])
}

pub(crate) fn contributor_part() -> Object {
    words(
        "What part",
        &[
            "heap",
            "toast",
            "index",
            "new_table",
            "wal",
            "no_relation",
            "of_volume",
            "other",
        ],
    )
}

pub(crate) fn table_kind() -> Object {
    words("What kind of relation it is", &TableKind::NAMES)
}

pub(crate) fn method_or_null() -> Object {
    words_or_null("How the sizes were read", &Method::NAMES)
}

pub(crate) fn row_count_source() -> Object {
    words(
        "Where the row count comes from",
        &["statistics", "estimate", "unknown"],
    )
}

pub(crate) fn sample_kind() -> Object {
    words("Why the sample was taken", &["daily", "watch", "manual"])
}

pub(crate) fn event_kind() -> Object {
    let kinds = plimsoll_core::change::EventKind::ALL.map(plimsoll_core::change::EventKind::as_str);
    words("What happened", &kinds)
}

pub(crate) fn unattributed_cause() -> Object {
    words(
        "Why the files belong to no relation",
        &["server_files", "uncommitted", "orphaned", "temporary"],
    )
}

pub(crate) fn capacity_source() -> Object {
    let sources = CapacitySource::ALL.map(CapacitySource::as_str);
    words_or_null("Where the capacity comes from", &sources)
}

pub(crate) fn wal_holder() -> Object {
    words(
        "What keeps the WAL",
        &["slot", "archiving", "wal_keep_size"],
    )
}

pub(crate) fn disk_part() -> Object {
    use plimsoll_core::disk::part::Kind;
    words(
        "A share of a volume's used bytes",
        &Kind::ALL.map(Kind::as_str),
    )
}

pub(crate) fn part_source() -> Object {
    words_or_null(
        "How the bytes were read",
        &["files", "functions", "store", "instance", "rest"],
    )
}

pub(crate) fn volume_source() -> Object {
    words_or_null(
        "Where capacity and use come from",
        &["config", "command", "prometheus", "path", "statvfs"],
    )
}

pub(crate) fn disk_wal_holder() -> Object {
    words(
        "What holds WAL",
        &[
            "slot",
            "archiving",
            "wal_keep_size",
            "checkpoint",
            "replay",
            "summaries",
        ],
    )
}

pub(crate) fn job_outcome() -> Object {
    words_or_null(
        "How the last run ended",
        &["ok", "failed", "skipped", "cancelled"],
    )
}

pub(crate) fn room_source() -> Object {
    let mut sources = vec!["asked"];
    sources.extend(CapacitySource::ALL.map(CapacitySource::as_str));
    words_or_null("Where the limit comes from", &sources)
}

fn shapes() -> [&'static str; 5] {
    use plimsoll_core::events::ShapeKind;
    ShapeKind::ALL.map(ShapeKind::as_str)
}

pub(crate) fn shape_kind() -> Object {
    words("What statistics see", &shapes())
}

pub(crate) fn happening_kind() -> Object {
    let kinds = plimsoll_core::change::EventKind::ALL.map(plimsoll_core::change::EventKind::as_str);
    words(
        "What happened: a recorded event, or a shape that statistics see",
        &[&kinds[..], &shapes()[..]].concat(),
    )
}

pub(crate) fn ranked_by() -> Object {
    words("What is ranked", &["table", "schema", "set"])
}

pub(crate) fn forecast_of() -> Object {
    words(
        "What the forecast is of",
        &[
            "database",
            "schema",
            "table",
            "set",
            "tablespace",
            "instance",
            "file",
        ],
    )
}
