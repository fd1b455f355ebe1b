//! Visits to real servers of every supported major.

#![allow(missing_docs, clippy::unwrap_used)]

/// A server of each major that is started here, since its settings or its files are special.
macro_rules! on_own_server {
    ($($name:ident => $check:ident),+ $(,)?) => {$(
        mod $name {
            use super::*;
            on_own_server!(@tests $check: pg13 13, pg14 14, pg15 15, pg16 16, pg17 17, pg18 18);
        }
    )+};
    (@tests $check:ident: $($test:ident $major:literal),+) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $test() {
            if let Some(installation) = test::installed($major) {
                $check(&installation).await;
            }
        }
    )+};
}

mod doctor;
mod facts;
mod fuzz;
mod pgbouncer;
mod pulse;
mod pulse_filling;
mod pulse_volumes;
mod replay;
mod session;
mod sizing;
mod sizing_whole;
mod traps_absent;
mod traps_changes;
mod traps_encodings;
mod traps_ended;
mod traps_locks;
mod traps_meanwhile;
mod traps_names;
mod traps_parts;
mod traps_scale;
