//! The routes of the API, each in one file with its parameters and its specification.

mod alerts;
mod channels;
mod cleanup;
mod databases;
mod disk;
mod events;
mod forecast;
mod growth;
mod health;
mod history;
mod instance;
mod jobs;
pub(super) mod openapi;
mod series;
mod silences;
mod sizes;
mod state;
mod store;
mod tables;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;

/// What needs a place (`gate::limits`).
pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(sizes::sizes))
        .routes(routes!(history::history))
        .routes(routes!(history::take_sample))
        .routes(routes!(tables::table))
        .routes(routes!(series::series))
        .routes(routes!(growth::growth))
        .routes(routes!(forecast::forecast))
        .routes(routes!(state::state))
        .routes(routes!(events::events))
        .routes(routes!(alerts::alerts))
        .routes(routes!(alerts::resolve))
        .routes(routes!(silences::silences, silences::add))
        .routes(routes!(silences::end))
        .routes(routes!(instance::instance))
        .routes(routes!(disk::disk_of))
        .routes(routes!(databases::databases))
        .routes(routes!(jobs::jobs))
        .routes(routes!(store::store))
        .routes(routes!(channels::channels))
        .routes(routes!(channels::test_channel))
        .routes(routes!(cleanup::stats))
        .routes(routes!(cleanup::history))
        .routes(routes!(openapi::openapi))
}

/// Not bounded like the others: a probe must be answered also under load.
pub(super) fn probes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
}
