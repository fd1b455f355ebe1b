//! `GET /api/storage/forecast`

use axum::Json;
use axum::extract::State;
use jiff::SignedDuration;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::params::Query;
use super::super::{App, Problem, Shared};
use crate::answer::forecast::{ForecastAnswer, drawn};
use crate::answer::ranking::{self, RankingAnswer};
use crate::ask::{Forecasts, Of};
use crate::forecasting::{By, ForecastOf};
use crate::watch::SelectError;

/// What is free on the disk may have been read so long ago: as often as the watch looks.
const RECENT: SignedDuration = SignedDuration::from_mins(16);

/// One forecast; or, with `by`, those of what is in the database.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum ForecastBody {
    /// Without `by`.
    One(Box<ForecastAnswer>),
    /// With `by`.
    Ranking(Box<RankingAnswer>),
}

/// How a size will go on, with bounds, when its disk is full, and how good such forecasts were.
#[utoipa::path(
    get, path = "/api/storage/forecast", tag = "storage", operation_id = "storage_forecast",
    params(Query::<(Of, Forecasts)>),
    responses(
        (status = 200, body = ForecastBody, description = "The forecast, or why there is none"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn forecast(
    State(app): State<Shared>,
    Query((of, asked)): Query<(Of, Forecasts)>,
) -> Result<Json<ForecastBody>, Problem> {
    let watch = &app.watch;
    let (what, query) = match asked {
        Forecasts::One(what, query) => (what, query),
        Forecasts::Ranked(by, limit) => return ranked(&app, &of, by, limit).await,
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
