//! A role with one connection: pulses and visits share it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use plimsoll_postgres::{
    Limits, Memory, Session, Silent, Target, VisitOptions, Volumes, pulse, visit,
};
use throwaway_postgres::on_every_major;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

on_every_major! {
    async fn a_role_with_one_connection_has_pulses_and_visits(server: &Server) {
        server.sql("postgres", "create database lent").unwrap();
        server.sql("lent", "create role lonely login connection limit 1; grant pg_monitor to lonely; create table t ()").unwrap();
        let url = server.url("lent").replacen("postgres@", "lonely@", 1).parse().unwrap();
        let target = Target { instance: Arc::from("main"), url };
        let options = VisitOptions::default();
        let (never, now) = (CancellationToken::new(), Timestamp::now());
        let lending = options.lending.clone();
        let ask = |within: Duration| {
            lending.between(Instant::now() + within, move |session| {
                Box::pin(async move { pulse(session, &Volumes::default(), now).await })
            })
        };
        // The pulse is wanted first: it is asked before the visit's second statement at the latest.
        let mut memory = Memory::default();
        let visiting = visit(&target, &options, &mut memory, &Silent, &never, now);
        let (asked, snapshot) = tokio::join!(ask(Duration::from_secs(60)), visiting);
        let seen = asked.unwrap().unwrap();
        assert!(seen.position.known().is_some() && seen.statements <= 12, "{seen:?}");
        assert!(snapshot.unwrap().tables.iter().any(|table| &*table.table_name == "t"));
        // Nobody is there who could lend a session.
        assert!(ask(Duration::from_millis(20)).await.is_none());
        // The pulses' own session has the slot, and a visit takes it over.
        let limits = Limits::from(&options);
        *lending.own().await = Some(Session::open(&target.url, &limits, &never).await.unwrap());
        let snapshot = visit(&target, &options, &mut memory, &Silent, &never, now).await.unwrap();
        assert!(snapshot.tables.iter().any(|table| &*table.table_name == "t"));
        assert!(lending.own().await.is_none(), "it was closed");
    }
}
