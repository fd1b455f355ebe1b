//! Every parameter, declared once.

use plimsoll_core::alert::AlertType;
use plimsoll_core::snapshot::TableKind;

use super::param::{Accepts, Param};

/// Words for the kinds of relations.
const RELATIONS: &[&str] = &TableKind::NAMES;
/// Words for the kinds of samples.
const SAMPLES: &[&str] = &["daily", "manual", "watch"];
/// Words for what happened, and for the shapes that statistics see.
const EVENTS: &[&str] = &[
    "rewrite",
    "truncate",
    "rename",
    "reindex",
    "create",
    "drop",
    "attach",
    "detach",
    "restore",
    "recreate",
    "failover",
    "statistics_reset",
    "resize",
    "coverage",
    "level_up",
    "level_down",
    "slope_up",
    "slope_down",
    "burst",
];
/// Words for the types of alerts.
const ALERTS: &[&str] = &AlertType::NAMES;
/// As many rows as anybody asks for.
const ROWS: Accepts = Accepts::Number {
    least: 1,
    most: 1_000_000,
};

const fn param(name: &'static str, accepts: Accepts, text: &'static str) -> Param {
    Param {
        name,
        text,
        accepts,
        default: None,
    }
}

impl Param {
    /// The same with a default.
    const fn or(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }
}

/// Which instance.
pub static INSTANCE: Param = param(
    "instance",
    Accepts::Text("NAME"),
    "The configured name of an instance; not needed while only one is watched",
);
/// Which database.
pub static DATABASE: Param = param(
    "database",
    Accepts::Text("NAME"),
    "The name of a database; not needed while only one is watched",
);
/// How fresh.
pub static MAX_AGE: Param = param(
    "max_age",
    Accepts::Number {
        least: 0,
        most: 86_400,
    },
    "A snapshot of up to so many seconds will do, though it be older than a hundred times what its visit took \
     (1 second to 15 minutes): younger than that none is replaced",
);
/// How long to wait for it.
pub static WAIT: Param = param(
    "wait",
    Accepts::Number { least: 0, most: 30 },
    "How many seconds to wait for a visit before what is known is answered; 1 without it, and 10 where nothing is \
     known yet",
);

/// A table or a set, of all that is listed.
pub static ONLY_TABLE: Param = param(
    "table",
    Accepts::Table,
    "Only this table, with what is below it: `orders`, `sales.orders`, quoted as in SQL: `\"Sales\".\"Orders\"`",
);
/// A table or a set, of all that is listed beside the sums.
pub static LISTED_TABLE: Param = param(
    "table",
    Accepts::Table,
    "Only this table, with what is below it, is listed, and sums stay those of the database: `orders`, `sales.orders`, \
     quoted as in SQL: `\"Sales\".\"Orders\"`",
);
/// A table with what is below it.
pub static TABLE_AND_BELOW: Param = param(
    "table",
    Accepts::Table,
    "Of this table, with what is below it: `orders`, `sales.orders`, quoted as in SQL: `\"Sales\".\"Orders\"`",
);
/// A schema's tables.
pub static SCHEMA: Param = param(
    "schema",
    Accepts::Text("NAME"),
    "Of all tables of this schema",
);
/// A part of a tablespace.
pub static TABLESPACE: Param = param(
    "tablespace",
    Accepts::Text("NAME"),
    "Of the database's part of this tablespace",
);
/// A database or an instance.
pub static SCOPE: Param = param(
    "scope",
    Accepts::OneOf(&["database", "instance"]),
    "Of the `database`, which is the default, or of all watched databases of the `instance`, against what is free on its \
     volume",
);

/// The kinds of relations that are listed.
pub static KIND: Param = param(
    "kind",
    Accepts::Several(RELATIONS),
    "Kinds of relations that are listed: `all`, or a list of `table`, `matview`, `partitioned`, `catalog`, `sequence`, \
     `temporary`",
)
.or("table,matview,partitioned");
/// The kinds of samples.
pub static SAMPLE_KIND: Param = param(
    "kind",
    Accepts::Several(SAMPLES),
    "Kinds of samples: `all`, or a list of `daily`, `manual`, `watch`",
)
.or("daily,manual");
/// The kinds of events.
pub static EVENT_KIND: Param = param(
    "kind",
    Accepts::Several(EVENTS),
    "Kinds of events: `all`, or a list of `rewrite`, `truncate`, `rename`, `reindex`, `create`, `drop`, `attach`, \
     `detach`, `restore`, `recreate`, `failover`, `statistics_reset`, `coverage`, `resize`, and of the shapes `level_up`, `level_down`, \
     `slope_up`, `slope_down`, `burst`",
)
.or("all");

/// The oldest that is wanted.
pub static SINCE: Param = param(
    "since",
    Accepts::Time,
    "Not older than this: a time such as 2026-01-31T00:00:00Z, a date, or an age such as 7d",
);
/// The newest that is wanted.
pub static UNTIL: Param = param("until", Accepts::Time, "Not newer than this");
/// Growth from then.
pub static FROM: Param = param(
    "since",
    Accepts::Time,
    "From then: a time such as 2026-01-31T00:00:00Z, a date, or an age such as 7d",
)
.or("7d");
/// Growth to then.
pub static TO: Param = param("until", Accepts::Time, "To then; now without it");
/// One time.
pub static AT: Param = param(
    "at",
    Accepts::Time,
    "At this time: such as 2026-01-31T00:00:00Z, a date, or an age such as 7d; now without it",
);
/// How dense.
pub static STEP: Param = param(
    "step",
    Accepts::OneOf(&["all", "hour", "day"]),
    "All samples, or the last one of each hour or day",
)
.or("all");

/// How many rows.
pub static LIMIT: Param = param("limit", ROWS, "At most so many; all of them without it");
/// From which row on.
pub static OFFSET: Param = param(
    "offset",
    Accepts::Number {
        least: 0,
        most: 1_000_000_000,
    },
    "Without the first so many",
)
.or("0");
/// A schema's rows.
pub static IN_SCHEMA: Param = param(
    "schema",
    Accepts::Text("NAME"),
    "Only tables of this schema",
);
/// A part of a name.
pub static SEARCH: Param = param(
    "search",
    Accepts::Text("TEXT"),
    "Only tables in whose `schema.table` this text occurs, whatever its case",
);
/// The order.
pub static SORT: Param = param(
    "sort",
    Accepts::OneOf(&["size", "name", "rows", "growth"]),
    "The order; growth is that since the daily sample of a week ago",
)
.or("size");
/// The order on the page.
pub static PAGE_SORT: Param = param(
    "sort",
    Accepts::OneOf(&["size", "name", "rows"]),
    "The order",
)
.or("size");
/// Which page.
pub static PAGE: Param = param(
    "page",
    Accepts::Number {
        least: 1,
        most: 100_000,
    },
    "Which page of tables",
)
.or("1");
/// How many samples.
pub static SAMPLES_LIMIT: Param = param(
    "limit",
    Accepts::Number {
        least: 1,
        most: 1000,
    },
    "At most so many samples, newest first",
)
.or("30");
/// How many tables of each sample.
pub static TABLES: Param = param(
    "tables",
    Accepts::Number {
        least: 0,
        most: 1_000_000,
    },
    "Only the so many largest tables of each sample",
);
/// How many rows of each list.
pub static LIST_LIMIT: Param = param("limit", ROWS, "At most so many rows in each list").or("100");
/// How many events.
pub static EVENTS_LIMIT: Param = param(
    "limit",
    Accepts::Number {
        least: 1,
        most: 100_000,
    },
    "At most so many, newest first",
)
.or("100");
/// How many cleanup runs.
pub static RUNS_LIMIT: Param = param(
    "limit",
    Accepts::Number {
        least: 1,
        most: 1000,
    },
    "At most so many runs, newest first",
)
.or("30");

/// How far ahead.
pub static HORIZONS: Param =
    param("horizons", Accepts::Days, "How far ahead, in days").or("7,30,90");
/// Up to which size.
pub static CAPACITY: Param = param(
    "capacity",
    Accepts::Bytes,
    "The size to be reached, in bytes or such as 500GB (1000 apart) or 500GiB; without it, the present one and what is free where it lies",
);
/// A ranking.
pub static BY: Param = param(
    "by",
    Accepts::OneOf(&["table", "schema", "set"]),
    "Instead of one forecast: which tables, schemas or sets of the database will grow most, and what all of it adds up \
     to",
);
/// How many rows of a ranking.
pub static RANKING_LIMIT: Param = param(
    "limit",
    ROWS,
    "With `by`: at most so many rows; 20 without it",
);
/// Changes of volumes from then.
pub static CHANGES_SINCE: Param = param(
    "since",
    Accepts::Time,
    "Changes since then: a time such as 2026-01-31T00:00:00Z, a date, or an age such as 24h; without it since the pace \
     changed, else of the last 24 hours",
);
/// How dense the series of volumes are.
pub static DISK_STEP: Param = param(
    "step",
    Accepts::OneOf(&["minute", "hour", "day"]),
    "Adds the series: of the last day by the minute, of 14 days by the hour, or of all days",
);

/// Which alerts.
pub static ALERT_STATE: Param = param(
    "state",
    Accepts::OneOf(&["active", "resolved", "all"]),
    "Those that fire, those that ended, or all",
)
.or("active");
/// Of which rule.
pub static ALERT_TYPE: Param = param("type", Accepts::OneOf(ALERTS), "Only alerts of this type");
/// How serious.
pub static SEVERITY: Param = param(
    "severity",
    Accepts::OneOf(&["warning", "critical"]),
    "Only alerts that are at least as serious",
);
/// How many alerts.
pub static ALERTS_LIMIT: Param = param(
    "limit",
    Accepts::Number {
        least: 1,
        most: 10_000,
    },
    "At most so many, newest first",
)
.or("100");
