//! How the time that growth was counted over compares with the time that was asked for.
//!
//! Samples lie where they lie: over a hole in the history the last sample before the time asked for may be days older, and
//! a young history begins after it. What grew in two days is not what grew in one.

use plimsoll_core::sample::SampleHeader;
use plimsoll_core::time::length;
use serde::Serialize;
use utoipa::ToSchema;

use super::GrowthQuery;

/// Up to this share of the time asked for, more or less is the same: daily samples are a day apart, not to the minute.
const AS_ASKED: f64 = 1.0 / 6.0;
/// More than so many times the time asked for, and the base is too old to answer for it.
const TOO_OLD: f64 = 1.5;

/// How the time between the samples compares with the time that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compares {
    /// It is that, to a sixth.
    AsAsked,
    /// It is longer: there is no sample nearer to the beginning.
    Longer,
    /// It is more than half as long again: the growth is not that of the time asked for.
    BaseTooOld,
    /// It is shorter: the history begins later, or ends earlier.
    Shorter,
}

/// Days asked for, how what was compared does with that, and the same in words where it is not as asked.
pub(super) fn compare(
    query: &GrowthQuery,
    from: &SampleHeader,
    to: &SampleHeader,
) -> (f64, Compares, Option<String>) {
    let seconds = |a: jiff::Timestamp, b: jiff::Timestamp| b.duration_since(a).as_secs_f64();
    let asked = seconds(query.since, query.until);
    let compared = seconds(from.sampled_at, to.sampled_at);
    let compares = if (compared - asked).abs() <= AS_ASKED * asked {
        Compares::AsAsked
    } else if compared > TOO_OLD * asked {
        Compares::BaseTooOld
    } else if compared > asked {
        Compares::Longer
    } else {
        Compares::Shorter
    };
    let (asked, compared) = (length(asked), length(compared));
    let base = from.sampled_at.strftime("%Y-%m-%d %H:%M");
    let text = match compares {
        Compares::AsAsked => None,
        Compares::Longer => Some(format!(
            "This is over {compared}, not {asked}: the history has no sample between {base} UTC and the time asked for."
        )),
        Compares::BaseTooOld => Some(format!(
            "This is over {compared}, and says little about {asked}: the last sample before the time asked for is of {base} UTC."
        )),
        Compares::Shorter => Some(format!(
            "This is over {compared}, not {asked}: there are no samples for the rest."
        )),
    };
    (
        query.until.duration_since(query.since).as_secs_f64() / 86_400.0,
        compares,
        text,
    )
}
