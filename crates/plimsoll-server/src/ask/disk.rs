//! What is asked of an instance's volumes.

use jiff::Timestamp;
use plimsoll_core::disk::kept::Step;

use super::params::{CHANGES_SINCE, DISK_STEP};
use super::{Ask, AskError, Given, Param, Refused};

/// Since when changes are told, and whether the series are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskQuery {
    /// Changes since then; none is since the pace changed, else of the last day.
    pub since: Option<Timestamp>,
    /// How dense the series are; none is no series.
    pub step: Option<Step>,
}

impl Ask for DiskQuery {
    fn params() -> Vec<&'static Param> {
        vec![&CHANGES_SINCE, &DISK_STEP]
    }

    fn read(given: &Given) -> Result<Self, Refused> {
        let since = given.time(&CHANGES_SINCE)?;
        if let Some(since) = since.filter(|since| *since > given.now()) {
            let reason = format!("`since` is {since:.0}, which is still to come");
            return Err(Refused::beside(&CHANGES_SINCE, reason));
        }
        Ok(Self {
            since,
            step: given.read(&DISK_STEP, |text| {
                Step::named(text).ok_or_else(|| AskError::new(text, "one of minute, hour, day"))
            })?,
        })
    }
}
