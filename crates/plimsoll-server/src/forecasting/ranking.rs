//! Which tables, schemas or sets will eat the disk: what each is expected to grow by, so that all
//! adds up to what the database is.

use plimsoll_core::forecast::coherent::HORIZONS;
use plimsoll_core::size::signed;
use plimsoll_store::{
    DatabaseKey, ForecastHeader, ForecastPart, KeptForecast, PartKind, PartQuery, Store,
    StoreError, TableName,
};
use tokio::sync::Mutex;

use super::refresh::refresh_if_due;
use crate::clock::Clock;

/// So many rows are shown unless asked for more.
pub const DEFAULT_ROWS: usize = 20;

/// What is ranked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RankBy {
    /// Tables, materialized views and sequences.
    Table,
    /// Schemas.
    Schema,
    /// Partition sets and inheritance trees.
    Set,
}

impl RankBy {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Table, Self::Schema, Self::Set];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
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

/// Forecasts of what is in a database, as of one sample.
#[derive(Debug, Clone)]
pub struct Ranking {
    /// The sample, and how the forecasts were made.
    pub header: ForecastHeader,
    /// None where nothing was forecast.
    pub expected: Option<Expected>,
}

/// What is expected: `rows`, `others`, `to_come` and `rest` add up to `total`, where that is known.
#[derive(Debug, Clone)]
pub struct Expected {
    /// What grows most first; what does not move is in `others`.
    pub rows: Vec<Row>,
    /// All others together; none where the total is not known.
    pub others: Option<Row>,
    /// Tables to come and go that are in no row.
    pub to_come: Row,
    /// What belongs to no table.
    pub rest: Option<Row>,
    /// The database; none where too little is known of it as a whole.
    pub total: Option<Row>,
}

/// What one part, or a sum of parts, is expected to grow by.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// The part's name; none for a sum.
    pub name: Option<TableName>,
    /// Bytes as of the sample; of what is to come they may be negative.
    pub level_bytes: i64,
    /// What it grows by at each horizon.
    pub grown: [i64; HORIZONS],
    /// Half the width of the 80 % bounds at each horizon, where something is known of it.
    pub half80: Option<[i64; HORIZONS]>,
}

/// Ranks what is in a database by its expected growth, computing that if there is nothing yet that is
/// recent enough. None without a sample.
pub async fn ranking(
    store: &dyn Store,
    of: &DatabaseKey,
    clock: &dyn Clock,
    turn: &Mutex<()>,
    by: RankBy,
    limit: usize,
) -> Result<Option<Ranking>, StoreError> {
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
    Ok(kept.map(|KeptForecast { header, parts }| Ranking {
        header,
        expected: (!parts.is_empty()).then(|| expected(by, &parts)),
    }))
}

fn expected(by: RankBy, parts: &[ForecastPart]) -> Expected {
    let of_kind = |kind| parts.iter().filter(move |part| part.kind == kind);
    let total = of_kind(PartKind::Database).next().map(Row::of);
    let rest = of_kind(PartKind::Rest).next().map(Row::of);
    let rows: Vec<Row> = of_kind(by.kind()).map(Row::of).collect();
    let mut to_come = Row::default();
    for part in of_kind(PartKind::ToCome).filter(|part| by.is_apart(part)) {
        to_come.add(&Row::of(part), 1);
    }
    let others = total.clone().map(|total| {
        let mut others = Row {
            name: None,
            // sums have no bounds of their own
            half80: None,
            ..total
        };
        others.add(&to_come, -1);
        for row in rows.iter().chain(&rest) {
            others.add(row, -1);
        }
        others
    });
    Expected {
        rows,
        others,
        to_come,
        rest,
        total,
    }
}

impl Row {
    fn of(part: &ForecastPart) -> Self {
        Self {
            name: Some(part.name.clone()),
            level_bytes: signed(part.level_bytes),
            grown: part.horizons.grown,
            half80: part.horizons.half80.map(|half80| half80.map(signed)),
        }
    }

    fn add(&mut self, other: &Self, sign: i64) {
        self.level_bytes = self.level_bytes.saturating_add(sign * other.level_bytes);
        for (sum, grown) in self.grown.iter_mut().zip(other.grown) {
            *sum = sum.saturating_add(sign * grown);
        }
    }
}
