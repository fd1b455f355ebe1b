//! `GET /api/storage/instance`

use axum::Json;
use axum::extract::State;
use jiff::SignedDuration;
use utoipa::IntoParams;

use super::super::params::{FromParams, Params, Query, names_of};
use super::super::{Problem, Shared};
use crate::answer::instance::{self, InstanceAnswer};
use crate::watch::SelectError;

/// Which server is asked about, and how old the answer may be.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct InstanceParams {
    /// The configured name of an instance. Not needed while only one is watched.
    instance: Option<String>,
    /// How many seconds old the snapshot may be; 0 means a new visit.
    #[param(minimum = 0, maximum = 86400)]
    max_age: Option<u32>,
}

impl FromParams for InstanceParams {
    fn names() -> Vec<String> {
        names_of::<Self>()
    }

    fn read(params: &Params) -> Result<Self, Problem> {
        let max_age = params
            .number("max_age", 0, 86_400)?
            .and_then(|age| u32::try_from(age).ok());
        Ok(Self {
            instance: params.owned("instance"),
            max_age,
        })
    }
}

/// The rest of a server's disk: databases, tablespaces, WAL, temporary files, logs, capacity.
#[utoipa::path(
    get, path = "/api/storage/instance", tag = "storage", operation_id = "storage_instance",
    params(InstanceParams),
    responses(
        (status = 200, body = InstanceAnswer, description = "What the server's disk holds, as far as the role may see it"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn instance(
    State(app): State<Shared>,
    Query(asked): Query<InstanceParams>,
) -> Result<Json<InstanceAnswer>, Problem> {
    let watched = app.watch.select_instance(asked.instance.as_deref())?;
    let database = watched
        .any_database()
        .ok_or_else(|| SelectError::NoneYet(watched.settings.instance.to_string()))?;
    let max_age = asked
        .max_age
        .map(|seconds| SignedDuration::from_secs(i64::from(seconds)));
    let snapshot = app.watch.snapshot(&database, max_age).await?;
    Ok(Json(instance::instance(&snapshot)))
}
