//! `GET /api/storage/forecast`

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use plimsoll_core::snapshot::Snapshot;
use plimsoll_store::DatabaseKey;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::gate::asker::Asker;
use super::super::gate::etag::{self, Made};
use super::super::params::Query;
use super::super::{App, Problem, Shared};
use crate::answer::forecast::{ForecastAnswer, drawn};
use crate::answer::ranking::{self, RankingAnswer};
use crate::ask::{Forecasts, OfDatabase};
use crate::forecasting::{ForecastOf, ForecastQuery, RankBy, VisitedSnapshots};
use crate::watch::{SelectError, VisitState};

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
    params(Query::<(OfDatabase, Forecasts)>),
    responses(
        (status = 200, body = ForecastBody, description = "The forecast, or why there is none"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn forecast(
    State(app): State<Shared>,
    asker: Asker,
    Query((of, asked)): Query<(OfDatabase, Forecasts)>,
) -> Result<Response, Problem> {
    let watch = &app.watch;
    let made = Made::of(&asker.question).and(app.forecasts.made());
    let (what, query) = match asked {
        Forecasts::One(what, query) => (what, query),
        Forecasts::Ranked(by, limit) => {
            let (instance, database) = (of.instance.as_deref(), of.database.as_deref());
            let key = watch.select_kept(instance, database).await??;
            let tag = made.and(watch.stamp(&key).await?).tag();
            return kept(&app, &asker, &tag, ranked(&app, &key, by, limit)).await;
        }
    };
    let (database, alike) = match what {
        ForecastOf::Instance => {
            let instance = watch.select_instance(of.instance.as_deref())?;
            let any = instance.any_database();
            let none = || SelectError::NoneYet(instance.settings.instance.to_string());
            (any.ok_or_else(none)?, instance.databases())
        }
        _ => {
            let one = watch
                .select_uncrossed(of.instance.as_deref(), of.database.as_deref())
                .await?;
            (Arc::clone(&one), vec![one])
        }
    };
    // What is free is as the latest visit saw it: a forecast of the history needs no new one.
    let known = asker.look(watch, &database).await;
    let mut made = made.and_visit_state(&known);
    let mut others = Vec::new();
    for other in alike {
        made = made.and(watch.stamp(other.key()).await?);
        if other.key() != database.key() {
            let known = other.known();
            made = made.and_visit_state(&known);
            others.extend(known.snapshot);
        }
    }
    let one = one(&app, database.key(), &what, &known, &others, &query);
    kept(&app, &asker, &made.tag(), one).await
}

/// The answer that is kept under this validator, or else the one that is made.
async fn kept(
    app: &App,
    asker: &Asker,
    tag: &str,
    make: impl Future<Output = Result<ForecastBody, Problem>>,
) -> Result<Response, Problem> {
    if let Some(unchanged) = etag::unchanged(&asker.headers, tag) {
        return Ok(unchanged);
    }
    let text = if let Some(text) = app.kept_answers.get(tag) {
        text
    } else {
        let text = serde_json::to_vec(&make.await?);
        let text = Bytes::from(text.map_err(|error| Problem::internal(&error))?);
        app.kept_answers.keep(tag, text.clone());
        text
    };
    let answer = ([(CONTENT_TYPE, "application/json")], text).into_response();
    Ok(etag::with(answer, tag))
}

async fn one(
    app: &App,
    of: &DatabaseKey,
    what: &ForecastOf,
    known: &VisitState,
    others: &[Arc<Snapshot>],
    query: &ForecastQuery,
) -> Result<ForecastBody, Problem> {
    let why = match &known.failure {
        Some(failure) => failure.error.to_string(),
        None => "no visit has ended yet".to_owned(),
    };
    let seen = VisitedSnapshots {
        database: known.snapshot.as_deref().ok_or(&*why),
        others,
    };
    let forecast = app.forecasts.forecast(of, what, seen, query).await?;
    Ok(ForecastBody::One(Box::new(drawn(forecast).answer)))
}

async fn ranked(
    app: &App,
    of: &DatabaseKey,
    by: RankBy,
    limit: usize,
) -> Result<ForecastBody, Problem> {
    let ranked = app.forecasts.ranking(of, by, limit).await?;
    let answer = ranking::ranking(of, by, ranked);
    Ok(ForecastBody::Ranking(Box::new(answer)))
}
