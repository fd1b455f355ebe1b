//! What a store does, subject by subject. Jobs, forecasts, cleanup runs and volumes stand with their rows.

mod samples;
mod series;
mod transfer;
mod upkeep;

pub use self::samples::Samples;
pub use self::series::Series;
pub use self::transfer::Transfer;
pub use self::upkeep::Upkeep;
use crate::{Alerts, Aliases, CleanupRuns, DiskHistory, Forecasts, Jobs, Messages};

/// History and state: all subjects, of one store.
///
/// Every method is atomic: it has happened as a whole, or not at all, whatever is killed when.
pub trait Store:
    Samples
    + Series
    + Forecasts
    + Jobs
    + CleanupRuns
    + Alerts
    + Messages
    + Aliases
    + DiskHistory
    + Upkeep
    + Transfer
    + 'static
{
}

impl<S> Store for S where
    S: Samples
        + Series
        + Forecasts
        + Jobs
        + CleanupRuns
        + Alerts
        + Messages
        + Aliases
        + DiskHistory
        + Upkeep
        + Transfer
        + 'static
{
}
