//! Which tables, schemas or sets will eat the disk: what each is expected to grow by, so that all
//! adds up to what the database is.

use std::str::FromStr;

use jiff::Timestamp;
use plimsoll_core::forecast::coherent::HORIZONS_DAYS;
use plimsoll_core::size_text;
use plimsoll_store::{
    DatabaseKey, ForecastPart, KeptForecast, PartKind, PartQuery, Store, StoreError,
};
use serde::Serialize;
use tokio::sync::Mutex;
use utoipa::ToSchema;

use super::super::ask::AskError;
use super::super::schema;
use super::refresh::refresh_if_due;
use crate::clock::Clock;

/// The horizons that are shown: 7, 30 and 90 days.
const SHOWN: [usize; 3] = [3, 5, 7];

/// So many rows are shown unless asked for more.
pub const DEFAULT_ROWS: usize = 20;

/// What is ranked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Tables, materialized views and sequences.
    Table,
    /// Schemas.
    Schema,
    /// Partition sets and inheritance trees.
    Set,
}

impl By {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Schema => "schema",
            Self::Set => "set",
        }
    }

    const fn kind(self) -> PartKind {
        match self {
            Self::Table => PartKind::Table,
            Self::Schema => PartKind::Schema,
            Self::Set => PartKind::Set,
        }
    }

    /// Whether tables to come and go are apart from the rows: those of a schema are the schema's.
    fn is_apart(self, to_come: &ForecastPart) -> bool {
        match self {
            Self::Table => true,
            Self::Schema => to_come.name.schema_name.is_empty(),
            Self::Set => to_come.name.table_name.is_empty(),
        }
    }
}

impl FromStr for By {
    type Err = AskError;

    fn from_str(text: &str) -> Result<Self, AskError> {
        [Self::Table, Self::Schema, Self::Set]
            .into_iter()
            .find(|by| by.as_str() == text)
            .ok_or_else(|| AskError::new(text, "table, schema or set"))
    }
}

/// Forecasts of what is in a database, as of one sample. In every column `rows`, `others`,
/// `to_come` and `rest` add up to `total`.
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
    pub as_of: Option<Timestamp>,
    /// That sample.
    pub sample_id: Option<i64>,
    /// When this was computed.
    pub computed_at: Option<Timestamp>,
    /// Why nothing is forecast; then nothing grows.
    pub insufficient_data: Option<String>,
    /// What grows most in 90 days first; what does not move is in `others`.
    pub rows: Vec<RankingRow>,
    /// All others together.
    pub others: Option<RankingRow>,
    /// Tables that are not there yet or will be there no more, as far as they are in no row: nothing is
    /// known of them but what the sums do. Their `bytes` may be negative.
    pub to_come: Option<RankingRow>,
    /// What belongs to no table: catalogs, and files that belong to nothing.
    pub rest: Option<RankingRow>,
    /// The database.
    pub total: Option<RankingRow>,
    /// Tables in all.
    pub tables: u64,
    /// Of them, those that are too young for a forecast and count as they are.
    pub young_tables: u64,
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

/// Ranks what is in a database by its expected growth, computing that if there is nothing yet that is
/// recent enough.
pub async fn ranking(
    store: &dyn Store,
    of: &DatabaseKey,
    clock: &dyn Clock,
    turn: &Mutex<()>,
    by: By,
    limit: usize,
) -> Result<RankingAnswer, StoreError> {
    refresh_if_due(store, of, clock, turn).await?;
    let query = PartQuery {
        kinds: vec![
            by.kind(),
            PartKind::ToCome,
            PartKind::Rest,
            PartKind::Database,
        ],
        name: None,
        limit: Some(limit),
    };
    let kept = store.kept_forecast(of, &query).await?;
    Ok(answer(of, by, kept))
}

fn answer(of: &DatabaseKey, by: By, kept: Option<KeptForecast>) -> RankingAnswer {
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
        tables: 0,
        young_tables: 0,
    };
    let Some(KeptForecast { header, parts }) = kept else {
        return answer;
    };
    answer.as_of = Some(header.sampled_at);
    answer.sample_id = Some(header.sample_id);
    answer.computed_at = Some(header.computed_at);
    answer.insufficient_data = header.unknown;
    answer.tables = header.table_count;
    answer.young_tables = header.young_count;
    let of_kind = |kind| parts.iter().filter(move |part| part.kind == kind);
    let Some(total) = of_kind(PartKind::Database).next() else {
        return answer;
    };
    let expected = total.grown_bytes();
    let row = |part: &ForecastPart| Column::of(part).row(Some(part), expected);
    let rest = of_kind(PartKind::Rest).next();
    let mut to_come = Column::default();
    for part in of_kind(PartKind::ToCome).filter(|part| by.is_apart(part)) {
        to_come.add(&Column::of(part), 1);
    }
    let mut others = Column::of(total);
    others.add(&to_come, -1);
    for part in of_kind(by.kind()).chain(rest) {
        others.add(&Column::of(part), -1);
    }
    // sums have no bounds of their own
    others.half80 = None;
    answer.rows = of_kind(by.kind()).map(row).collect();
    answer.others = Some(others.row(None, expected));
    answer.to_come = Some(to_come.row(None, expected));
    answer.rest = rest.map(row);
    answer.total = Some(row(total));
    answer
}

/// What is shown of one part, or of a sum of parts.
#[derive(Debug, Default)]
struct Column {
    level: i64,
    grown: [i64; SHOWN.len()],
    half80: Option<[i64; SHOWN.len()]>,
}

impl Column {
    fn of(part: &ForecastPart) -> Self {
        let half80 = part
            .horizons
            .half80
            .map(|half80| SHOWN.map(|at| signed(half80[at])));
        Self {
            level: signed(part.level_bytes),
            grown: SHOWN.map(|at| part.horizons.grown[at]),
            half80,
        }
    }

    fn add(&mut self, other: &Self, sign: i64) {
        self.level = self.level.saturating_add(sign * other.level);
        for (sum, grown) in self.grown.iter_mut().zip(other.grown) {
            *sum = sum.saturating_add(sign * grown);
        }
    }

    fn row(&self, part: Option<&ForecastPart>, expected: i64) -> RankingRow {
        let name = |text: Option<&String>| text.filter(|text| !text.is_empty()).cloned();
        let forecast = SHOWN.iter().enumerate().map(|(place, &at)| {
            let grown_bytes = self.grown[place];
            let bytes = self.level.saturating_add(grown_bytes);
            let half = self.half80.map(|half| half[place]);
            RankingBand {
                h: HORIZONS_DAYS[at],
                grown_bytes,
                grown_human: size_text::pretty_signed(grown_bytes),
                bytes,
                lo80: half.map(|half| bytes.saturating_sub(half).max(0)),
                hi80: half.map(|half| bytes.saturating_add(half)),
            }
        });
        let longest = self.grown[SHOWN.len() - 1];
        RankingRow {
            schema_name: name(part.map(|part| &part.name.schema_name)),
            table_name: name(part.map(|part| &part.name.table_name)),
            level_bytes: self.level,
            forecast: forecast.collect(),
            share_percent: (expected > 0)
                .then(|| (longest as f64 / expected as f64 * 10_000.0).round() / 100.0),
        }
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
