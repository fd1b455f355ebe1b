//! `GET /api/storage/forecast`

use axum::Json;
use axum::extract::State;
use jiff::SignedDuration;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::super::params::{FromParams, Of, Params, Query};
use super::super::{App, Problem, Shared};
use crate::answer::ask::{self, AskError};
use crate::answer::forecast::{ForecastAnswer, drawn};
use crate::answer::ranking::{self, RankingAnswer};
use crate::forecasting::{By, DEFAULT_ROWS, ForecastOf, ForecastQuery};
use crate::watch::SelectError;

/// What is free on the disk may have been read so long ago: as often as the watch looks.
const RECENT: SignedDuration = SignedDuration::from_mins(16);

/// Of what, how far ahead, and up to which size.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "the specification is made from it; `ForecastOf` and `ForecastQuery` are what is read"
)]
pub(super) struct ForecastParams {
    /// Of this table, with what is below it: `orders`, `sales.orders`, `"Sales"."Orders"`.
    #[param(pattern = r#"^("([^"]|"")+"|[^".]+)(\.("([^"]|"")+"|[^".]+))?$"#)]
    table: Option<String>,
    /// Of all tables of this schema.
    schema: Option<String>,
    /// Of the database's part of this tablespace.
    tablespace: Option<String>,
    /// `instance`: of all watched databases of the instance, against what is free on its volume.
    /// `database`: of the database, which is the default.
    #[param(pattern = "^(instance|database)$")]
    scope: Option<String>,
    /// How far ahead, in days; `7,30,90` without it.
    #[param(pattern = r"^\d{1,4}(\.\d+)?(,\d{1,4}(\.\d+)?)*$")]
    horizons: Option<String>,
    /// The size to be reached, in bytes; without it, the present one and what is free where it lies.
    #[param(minimum = 1)]
    capacity: Option<u64>,
    /// Instead of one forecast: which tables, schemas or sets of the database will grow most. Goes with
    /// `limit` only.
    #[param(pattern = "^(table|schema|set)$")]
    by: Option<String>,
    /// With `by`: at most so many rows; 20 without it.
    #[param(minimum = 1, maximum = 1_000_000)]
    limit: Option<u32>,
}

/// What is asked: one forecast, or, with `by`, a ranking.
pub(super) enum Asked {
    One(ForecastOf, ForecastQuery),
    Ranked(By, usize),
}

impl FromParams for Asked {
    fn names() -> Vec<String> {
        let own = ["by", "limit"].map(str::to_owned);
        [ForecastOf::names(), ForecastQuery::names(), own.to_vec()].concat()
    }

    fn read(params: &Params) -> Result<Self, Problem> {
        let limit = params.number("limit", 1, 1_000_000)?;
        let Some(by) = params.read("by", str::parse)? else {
            if limit.is_some() {
                return Err(Problem::parameter("limit", "`limit` goes with `by`"));
            }
            return Ok(Self::One(
                ForecastOf::read(params)?,
                ForecastQuery::read(params)?,
            ));
        };
        let others = [ForecastOf::names(), ForecastQuery::names()].concat();
        if others.iter().any(|name| params.text(name).is_some()) {
            return Err(Problem::parameter(
                "by",
                format!(
                    "`by` ranks what is in the whole database: it goes without {}",
                    others.join(", ")
                ),
            ));
        }
        Ok(Self::Ranked(by, limit.unwrap_or(DEFAULT_ROWS)))
    }
}

/// One forecast; or, with `by`, those of what is in the database.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum ForecastBody {
    /// Without `by`.
    One(Box<ForecastAnswer>),
    /// With `by`.
    Ranking(Box<RankingAnswer>),
}

impl FromParams for ForecastOf {
    fn names() -> Vec<String> {
        let own = ["table", "schema", "tablespace", "scope"];
        own.map(str::to_owned).to_vec()
    }

    fn read(params: &Params) -> Result<Self, Problem> {
        let scope = params.read("scope", |text| match text {
            "instance" => Ok(Self::Instance),
            "database" => Ok(Self::Database),
            _ => Err(AskError::new(text, "instance or database")),
        })?;
        let all = [
            params.read("table", ask::table_name)?.map(Self::Table),
            params.owned("schema").map(Self::Schema),
            params.owned("tablespace").map(Self::Tablespace),
            scope,
        ];
        let mut given = all.into_iter().flatten();
        let first = given.next();
        if given.next().is_some() {
            return Err(Problem::parameter(
                "table",
                "only one of `table`, `schema`, `tablespace` and `scope` can be given; a table's schema is part of its name: sales.orders",
            ));
        }
        Ok(first.unwrap_or(Self::Database))
    }
}

impl FromParams for ForecastQuery {
    fn names() -> Vec<String> {
        let own = ["horizons", "capacity"];
        own.map(str::to_owned).to_vec()
    }

    fn read(params: &Params) -> Result<Self, Problem> {
        let capacity_bytes = params.read("capacity", |text| {
            let bytes: Option<u64> = text.parse().ok();
            bytes
                .filter(|bytes| *bytes > 0)
                .ok_or_else(|| AskError::new(text, "a whole number of bytes above 0"))
        })?;
        let default = Self::default();
        Ok(Self {
            horizons_days: params
                .read("horizons", ask::horizons)?
                .unwrap_or(default.horizons_days),
            capacity_bytes,
        })
    }
}

/// How a size will go on, with bounds, when its disk is full, and how good such forecasts were.
#[utoipa::path(
    get, path = "/api/storage/forecast", tag = "storage", operation_id = "storage_forecast",
    params(Of, ForecastParams),
    responses(
        (status = 200, body = ForecastBody, description = "The forecast, or why there is none"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn forecast(
    State(app): State<Shared>,
    Query((of, asked)): Query<(Of, Asked)>,
) -> Result<Json<ForecastBody>, Problem> {
    let watch = &app.watch;
    let (what, query) = match asked {
        Asked::One(what, query) => (what, query),
        Asked::Ranked(by, limit) => return ranked(&app, &of, by, limit).await,
    };
    let database = match what {
        ForecastOf::Instance => {
            let instance = watch.select_instance(of.instance.as_deref())?;
            instance
                .any_database()
                .ok_or_else(|| SelectError::NoneYet(instance.settings.instance.to_string()))?
        }
        _ => watch.select(of.instance.as_deref(), of.database.as_deref())?,
    };
    // A forecast of the history needs no new visit, only some recent one.
    let snapshot = watch.snapshot(&database, Some(RECENT)).await;
    let snapshot = snapshot.map_err(|error| error.to_string());
    let seen = snapshot.as_deref().map_err(String::as_str);
    let forecast = app
        .forecasts
        .forecast(database.key(), &what, seen, &query)
        .await?;
    Ok(Json(ForecastBody::One(Box::new(drawn(forecast).answer))))
}

async fn ranked(app: &App, of: &Of, by: By, limit: usize) -> Result<Json<ForecastBody>, Problem> {
    let of = app
        .watch
        .select_kept(of.instance.as_deref(), of.database.as_deref())
        .await??;
    let ranked = app.forecasts.ranking(&of, by, limit).await?;
    let answer = ranking::ranking(&of, by, ranked);
    Ok(Json(ForecastBody::Ranking(Box::new(answer))))
}

#[cfg(test)]
mod tests {
    use super::super::super::params::names_of;
    use super::*;

    #[test]
    fn every_parameter_of_the_specification_is_read() {
        let mut read = Asked::names();
        let mut specified = names_of::<ForecastParams>();
        read.sort();
        specified.sort();
        assert_eq!(read, specified);
    }
}
