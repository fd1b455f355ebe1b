//! Tests of the server as a whole: its specification, its routes and its schedule on real servers.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod alert_steps;
mod alerts;
mod alerts_closing;
mod alerts_of_plimsoll;
mod alerts_tables;
mod bounds;
mod capacity;
mod channels;
mod coverage;
mod coverage_places;
mod coverage_totals;
mod databases;
mod disk;
mod disk_events;
mod disk_neighbours;
mod forecast;
mod forecast_coherent;
mod forecast_volumes;
mod history;
mod identity;
mod identity_database;
mod jobs;
mod looking;
mod openapi;
mod pooler;
mod proxy;
mod routes;
mod running;
mod schedule;
mod service;
mod sets;
mod shared_store;
mod telling;
mod times;
mod visits;
