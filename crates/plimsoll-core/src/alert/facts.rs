//! What rules are evaluated on, made of what is known: of a series with its outlook, of a volume as a look tells it. An
//! error is why it is not known.

use jiff::{SignedDuration, Timestamp};

use super::rules::time::{PaceNow, Reaches};
use super::rules::volume::Fullness;
use crate::disk::state::{Dates, Volume};
use crate::forecast::Point;
use crate::outlook::Outlook;

/// The time over which the present rate is taken.
const RECENT: SignedDuration = SignedDuration::from_hours(3 * 24);
/// Over a longer time than this, in days, it is no present rate.
const RECENT_DAYS: f64 = 5.0;

/// Bytes a day over the last three days; none where the series is younger, or has a hole there.
pub fn recent_rate(points: &[Point]) -> Option<f64> {
    let last = points.last()?;
    let from = last.at.checked_sub(RECENT).ok()?;
    let before = points.iter().rfind(|point| point.at <= from)?;
    let days = last.at.duration_since(before.at).as_secs_f64() / 86_400.0;
    let gained = last.bytes as f64 - before.bytes as f64;
    (days <= RECENT_DAYS).then(|| gained / days)
}

/// When the first limit of an outlook is reached; none where the history has no series.
pub fn series_reaches(outlook: Option<&Outlook>) -> Result<Reaches, String> {
    let outlook = outlook.ok_or("the history has no series of it")?;
    if let Some(insufficient) = &outlook.insufficient_data {
        return Err(insufficient.to_string());
    }
    let passage = outlook.limits.first().ok_or("no limit is known")?;
    let after = |days: Option<f64>| {
        days.and_then(|days| SignedDuration::try_from_secs_f64(days * 86_400.0).ok())
    };
    Ok(Reaches {
        low: after(passage.lo80),
        point: after(passage.point),
        is_widened: outlook.widened,
    })
}

/// How full a volume is.
pub const fn fullness(volume: &Volume) -> Fullness {
    Fullness {
        used_bytes: volume.used_bytes,
        available_bytes: volume.available_bytes,
        inodes_total: volume.inodes_total,
        inodes_available: volume.inodes_available,
    }
}

/// How fast a volume fills at present.
pub fn pace(volume: &Volume, now: Timestamp) -> Result<PaceNow, String> {
    let unknown = || {
        let why = volume
            .pace_unknown
            .clone()
            .or_else(|| volume.unknown.clone());
        why.unwrap_or_else(|| "how much of it is used is not known".to_owned())
    };
    let pace = volume.pace.as_ref().ok_or_else(unknown)?;
    let used_bytes = volume.used_bytes.ok_or_else(unknown)?;
    let available_bytes = volume.available_bytes.ok_or_else(unknown)?;
    let mid = volume.full.at_pace.and_then(|dates| dates.mid);
    Ok(PaceNow {
        used_bytes,
        available_bytes,
        bytes_per_hour: pace.bytes_per_hour,
        full_in: mid.map(|at| at.duration_since(now)),
    })
}

/// When a volume is full by the forecast.
pub fn volume_reaches(volume: &Volume, now: Timestamp) -> Result<Reaches, String> {
    let Some(Dates { low, mid, .. }) = volume.full.forecast else {
        let why = volume.full.forecast_unknown.clone();
        return Err(why.unwrap_or_else(|| "there is no forecast of it".to_owned()));
    };
    let after = |at: Option<Timestamp>| at.map(|at| at.duration_since(now));
    Ok(Reaches {
        low: after(low),
        point: after(mid),
        is_widened: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: &[(i64, u64)]) -> Vec<Point> {
        let point = |&(hours, bytes): &(i64, u64)| Point {
            at: Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours),
            bytes,
        };
        values.iter().map(point).collect()
    }

    #[test]
    fn the_present_rate_is_that_of_three_days_and_unknown_over_a_hole() {
        for (values, expected) in [
            (&[(0, 100), (72, 400)][..], Some(100.0)),
            (&[(0, 100), (48, 1000), (72, 100)], Some(0.0)),
            (&[(0, 500), (72, 200)], Some(-100.0)),
            (&[(0, 100), (120, 600)], Some(100.0)),
            (&[(0, 100), (121, 600)], None),
            (&[(0, 100), (71, 400)], None),
            (&[], None),
        ] {
            assert_eq!(recent_rate(&points(values)), expected, "{values:?}");
        }
    }
}
