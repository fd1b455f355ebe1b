//! What is expected to grow most, as answers show it.

use jiff::Timestamp;
use plimsoll_core::forecast::coherent::HORIZONS_DAYS;
use plimsoll_core::size_text;
use plimsoll_store::{DatabaseKey, TableName};
use serde::Serialize;
use utoipa::ToSchema;

use super::schema;
use crate::forecasting::{Expected, RankBy, Ranking, Row};

/// The horizons that are shown: 7, 30 and 90 days.
const SHOWN: [usize; 3] = [3, 5, 7];

/// Forecasts of what is in a database, as of one sample. In every column `rows`, `others`,
/// `to_come` and `rest` add up to `total`, where that is known, and what it is made of.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RankingAnswer {
    /// The configured name of the instance.
    pub instance: String,
    /// The database.
    pub database: String,
    /// What is ranked.
    #[schema(schema_with = schema::ranked_by)]
    pub by: &'static str,
    /// When the sample was taken: days are counted from here. Null without samples.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub as_of: Option<Timestamp>,
    /// That sample.
    pub sample_id: Option<i64>,
    /// When this was computed.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub computed_at: Option<Timestamp>,
    /// Why nothing is forecast; then nothing grows.
    pub insufficient_data: Option<String>,
    /// What grows most in 90 days first; what does not move is in `others`.
    pub rows: Vec<RankingRow>,
    /// All others together; null where the total or the tables are not known.
    pub others: Option<RankingRow>,
    /// Tables that are not there yet or will be there no more, as far as they are in no row: nothing is
    /// known of them but what the sums do. Their `bytes` may be negative. Null where the tables are not known.
    pub to_come: Option<RankingRow>,
    /// What belongs to no table: catalogs, and files that belong to nothing.
    pub rest: Option<RankingRow>,
    /// The database; null where too little is known of it as a whole.
    pub total: Option<RankingRow>,
    /// Why `others`, `rest` and `total` are not known, where `rows` may be: another tool that measured some tables
    /// left no size of the whole. Null otherwise.
    pub total_unknown: Option<String>,
    /// Tables in all; null where nobody knows of any: without samples, and where another tool told the total alone.
    pub tables: Option<u64>,
    /// Of them, those that are too young for a forecast and count as they are; null where `tables` is.
    pub young_tables: Option<u64>,
}

/// What something is expected to grow by.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RankingRow {
    /// Its schema, or null.
    pub schema_name: Option<String>,
    /// The table, or the root of the set; or null.
    pub table_name: Option<String>,
    /// Bytes as of the sample.
    pub level_bytes: i64,
    /// What is expected in 7, 30 and 90 days.
    pub forecast: Vec<RankingBand>,
    /// Of what the database is expected to grow by in 90 days, in percent; null unless it grows.
    pub share_percent: Option<f64>,
}

/// What is expected on a day.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RankingBand {
    /// Days from `as_of`.
    pub h: f64,
    /// What it grows by; negative where it shrinks.
    pub grown_bytes: i64,
    /// `grown_bytes` with its sign, as `pg_size_pretty` prints it.
    pub grown_human: String,
    /// The size then.
    pub bytes: i64,
    /// Four times in five it is above this, and
    pub lo80: Option<i64>,
    /// below this. Null where nothing is known of it.
    pub hi80: Option<i64>,
}

/// A ranking as answers show it; none where there is no sample yet.
pub fn ranking(of: &DatabaseKey, by: RankBy, ranking: Option<Ranking>) -> RankingAnswer {
    let mut answer = RankingAnswer {
        instance: of.instance.clone(),
        database: of.database.clone(),
        by: by.as_str(),
        as_of: None,
        sample_id: None,
        computed_at: None,
        insufficient_data: Some("there are no samples yet".to_owned()),
        rows: Vec::new(),
        others: None,
        to_come: None,
        rest: None,
        total: None,
        total_unknown: None,
        tables: None,
        young_tables: None,
    };
    let Some(Ranking { header, expected }) = ranking else {
        return answer;
    };
    answer.as_of = Some(header.sampled_at);
    answer.sample_id = Some(header.sample_id);
    answer.computed_at = Some(header.computed_at);
    answer.insufficient_data = header.unknown;
    // where a total was told alone, there is nothing beside it
    let has_rest = expected.as_ref().is_some_and(|all| all.rest.is_some());
    let are_tables_known = header.table_count > 0 || has_rest;
    if are_tables_known {
        answer.tables = Some(header.table_count);
        answer.young_tables = Some(header.young_count);
    }
    let Some(Expected {
        rows,
        others,
        to_come,
        rest,
        total,
    }) = expected
    else {
        return answer;
    };
    if total.is_none() {
        answer.total_unknown = answer.insufficient_data.clone();
        if !rows.is_empty() {
            answer.insufficient_data = None;
        }
    }
    let in_all = total.as_ref().map_or(0, longest);
    let shown = |one: &Row| row(one, in_all);
    answer.rows = rows.iter().map(shown).collect();
    if are_tables_known {
        answer.others = others.as_ref().map(shown);
        answer.to_come = Some(shown(&to_come));
    }
    answer.rest = rest.as_ref().map(shown);
    answer.total = total.as_ref().map(shown);
    answer
}

/// What is expected at the furthest horizon that is shown.
const fn longest(row: &Row) -> i64 {
    row.grown[SHOWN[SHOWN.len() - 1]]
}

/// `in_all` is what the whole database is expected to grow by.
fn row(row: &Row, in_all: i64) -> RankingRow {
    let name = |part: fn(&TableName) -> &String| {
        let text = part(row.name.as_ref()?);
        (!text.is_empty()).then(|| text.clone())
    };
    let forecast = SHOWN.map(|at| {
        let grown_bytes = row.grown[at];
        let bytes = row.level_bytes.saturating_add(grown_bytes);
        let half = row.half80.map(|half| half[at]);
        RankingBand {
            h: HORIZONS_DAYS[at],
            grown_bytes,
            grown_human: size_text::pretty_signed(grown_bytes),
            bytes,
            lo80: half.map(|half| bytes.saturating_sub(half).max(0)),
            hi80: half.map(|half| bytes.saturating_add(half)),
        }
    });
    RankingRow {
        schema_name: name(|name| &name.schema_name),
        table_name: name(|name| &name.table_name),
        level_bytes: row.level_bytes,
        forecast: forecast.to_vec(),
        share_percent: (in_all > 0)
            .then(|| (longest(row) as f64 / in_all as f64 * 10_000.0).round() / 100.0),
    }
}
