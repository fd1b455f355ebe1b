//! The time of the day at which days begin and end, so that they do so at the same time whatever is sampled next.

use super::Point;
use super::tuning::grid::EQUALLY_SAMPLED;

const DAY_SECONDS: i64 = 86_400;
const HOUR_SECONDS: i64 = 3_600;

/// The time of the day at which most days were sampled, in seconds since midnight UTC: that of the daily sample, where
/// there is one. Midnight, where less than half of the days were sampled in the same hour.
pub(super) fn time_of_day(points: &[Point]) -> i64 {
    let mut seconds: Vec<i64> = points.iter().map(|point| point.at.as_second()).collect();
    seconds.sort_unstable();
    let mut days = 0;
    let mut latest = None;
    // for each hour, the first sample in it of each day
    let mut hours: [Vec<i64>; 24] = Default::default();
    let mut latest_in = [None; 24];
    for second in seconds {
        let (day, time) = (
            second.div_euclid(DAY_SECONDS),
            second.rem_euclid(DAY_SECONDS),
        );
        days += usize::from(latest != Some(day));
        latest = Some(day);
        for (hour, (times, latest)) in (0..).zip(hours.iter_mut().zip(&mut latest_in)) {
            if time / HOUR_SECONDS == hour && *latest != Some(day) {
                *latest = Some(day);
                times.push(time);
            }
        }
    }
    let most = hours.iter().map(Vec::len).max().unwrap_or(0);
    let chosen = hours
        .iter_mut()
        .find(|times| times.len() + EQUALLY_SAMPLED >= most && times.len() * 2 > days);
    chosen.map_or(0, |times| {
        times.sort_unstable();
        times[times.len() / 2]
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn at_hours(hours: impl IntoIterator<Item = i64>) -> i64 {
        let points: Vec<Point> = hours
            .into_iter()
            .map(|hour| Point {
                at: Timestamp::from_second(1_700_006_400 + hour * HOUR_SECONDS).expect("a time"),
                bytes: 1,
            })
            .collect();
        time_of_day(&points) / HOUR_SECONDS
    }

    #[test]
    fn the_daily_sample_is_the_anchor_whatever_was_sampled_beside_it() {
        let daily = || (0..90).map(|day| day * 24 + 3);
        assert_eq!(at_hours(daily()), 3);
        assert_eq!(at_hours(daily().chain(76 * 24..90 * 24)), 3);
        assert_eq!(at_hours(daily().chain([17, 18])), 3);
    }

    #[test]
    fn hourly_samples_are_anchored_at_midnight_whenever_they_end() {
        for end in 24 * 30..24 * 33 {
            assert_eq!(at_hours(5..end), 0, "{end}");
        }
    }

    #[test]
    fn samples_at_any_times_are_anchored_at_midnight() {
        assert_eq!(at_hours((0..60).map(|nth| nth * 31)), 0);
        assert_eq!(at_hours([]), 0);
    }
}
