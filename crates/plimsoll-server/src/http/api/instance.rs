//! `GET /api/storage/instance`

use axum::Json;
use axum::extract::State;

use super::super::gate::asker::Asker;
use super::super::params::Query;
use super::super::{Problem, Shared};
use crate::answer::instance::{self, InstanceAnswer};
use crate::answer::visit::Currency;
use crate::ask::OfInstance;
use crate::watch::SelectError;

/// The rest of a server's disk: databases, tablespaces, WAL, temporary files, logs, capacity.
#[utoipa::path(
    get, path = "/api/storage/instance", tag = "storage", operation_id = "storage_instance",
    params(Query::<OfInstance>),
    responses(
        (status = 200, body = InstanceAnswer, description = "What the server's disk holds, as far as the role may see it"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn instance(
    State(app): State<Shared>,
    asker: Asker,
    Query(of): Query<OfInstance>,
) -> Result<Json<InstanceAnswer>, Problem> {
    let watched = app.watch.select_instance(of.instance.as_deref())?;
    let database = watched
        .any_database()
        .ok_or_else(|| SelectError::NoneYet(watched.settings.instance.to_string()))?;
    let known = asker.look(&app.watch, &database).await;
    let snapshot = known.snapshot.as_deref();
    let snapshot = snapshot.ok_or_else(|| Problem::nothing_known(&known))?;
    Ok(Json(instance::instance(snapshot, Currency::from(&known))))
}
