//! How current an answer is: whether a visit is under way, and why the last one failed.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::watch::{Failure, VisitState};

/// Why the last visit failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct VisitErrorAnswer {
    /// When it had failed. The next one is the schedule's.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub failed_at: Timestamp,
    /// The stable code of the failure.
    pub code: String,
    /// What failed, and what to do.
    pub message: String,
}

/// How current an answer is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Currency {
    /// Whether a visit is under way that will tell more.
    pub refreshing: bool,
    /// Why the last visit failed, if it did.
    pub visit_error: Option<VisitErrorAnswer>,
}

impl From<&Failure> for VisitErrorAnswer {
    fn from(failure: &Failure) -> Self {
        Self {
            failed_at: failure.failed_at,
            code: failure.error.code().to_owned(),
            message: failure.error.to_string(),
        }
    }
}

impl From<&VisitState> for Currency {
    fn from(known: &VisitState) -> Self {
        Self {
            refreshing: known.refreshing,
            visit_error: known.failure.as_ref().map(Into::into),
        }
    }
}
