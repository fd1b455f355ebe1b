//! After a level change: bounds on its side only, no date before the path's own, no pattern where there is none.

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::forecast::{Forecast, Point, forecast};

const GB: f64 = 1e9;

/// The forecast of one size a day, in gigabytes.
fn of(sizes: impl IntoIterator<Item = f64>) -> Forecast {
    let points: Vec<Point> = (0..)
        .zip(sizes)
        .map(|(day, size)| Point {
            at: Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * day),
            bytes: format!("{:.0}", size * GB).parse().expect("a size"),
        })
        .collect();
    forecast(&points, &[]).expect("enough samples")
}

/// Noise between -1 and 1, by a fixed sequence.
fn noise(day: u32) -> f64 {
    let mixed = u64::from(day + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    f64::from(u32::try_from(mixed % 2001).expect("a small number")) / 1000.0 - 1.0
}

fn days(from: u32, to: u32) -> impl Iterator<Item = f64> {
    (from..to).map(f64::from)
}

/// 400 GB, and 100 GB for the last `since` of its days, each with so much noise.
fn fell(since: u32, noisy: f64) -> Forecast {
    of((0..200 + since).map(|day| {
        let level = if day < 200 { 400.0 } else { 100.0 };
        level + noisy * noise(day)
    }))
}

#[test]
fn what_fell_and_stands_still_is_never_full() {
    for since in [10, 40, 100, 200] {
        for noisy in [0.0, 0.1] {
            let forecast = fell(since, noisy);
            let passage = forecast.passage(150_000_000_000);
            assert_eq!(passage.lo95, None, "{since} {noisy}");
            assert_eq!(passage.point, None, "{since} {noisy}");
            assert!(passage.probability.within_90_days < 0.01);
        }
    }
}

#[test]
fn a_fall_widens_the_bounds_downwards_only_and_no_further_than_its_share() {
    for since in [40, 100, 200] {
        let forecast = fell(since, 0.1);
        for days in [7.0, 30.0, 60.0, 90.0] {
            let band = forecast.band(days);
            assert!(band.hi95 < 110.0 * GB, "{since} {band:?}");
        }
        // it may come again: three quarters of what is there
        assert!(forecast.band(30.0).lo95 > 20.0 * GB);
        assert!(forecast.band(90.0).lo80 < 50.0 * GB);
    }
}

#[test]
fn a_rise_widens_the_bounds_upwards_only() {
    for since in [40, 100, 200] {
        let forecast = of(days(0, 200 + since).map(|day| {
            let loaded = if day < 200.0 { 0.0 } else { 100.0 };
            100.0 + 0.1 * day + loaded
        }));
        for days in [7.0, 30.0, 60.0, 90.0] {
            let band = forecast.band(days);
            let now = 200.0 + 0.1 * f64::from(199 + since);
            assert!(band.lo95 > (now - 1.0) * GB, "{since} {band:?}");
            assert!(band.hi95 < (now + 150.0) * GB, "{since} {band:?}");
        }
        assert!(forecast.band(90.0).hi80 > forecast.band(90.0).point + 90.0 * GB);
    }
}

#[test]
fn the_date_after_a_level_change_is_the_paths_own() {
    for since in [20, 40, 100] {
        let forecast = of(days(0, 200 + since).map(|day| {
            let loaded = if day < 200.0 { 0.0 } else { 100.0 };
            100.0 + 0.1 * day + loaded
        }));
        // ten gigabytes more, at a tenth a day
        let passage = forecast.passage(forecast.level_bytes() + 10_000_000_000);
        let mid = passage.point.expect("it grows");
        assert!((90.0..=101.0).contains(&mid), "{since}: {mid}");
    }
}

#[test]
fn a_spike_of_one_day_leaves_no_mark() {
    for since in [30, 100] {
        let forecast = of(days(0, 101 + since).map(|day| {
            let spike = if day == 100.0 { 100.0 } else { 0.0 };
            100.0 + 0.2 * day + spike
        }));
        let now = 100.0 + 0.2 * f64::from(100 + since);
        for (days, point) in [(7.0, now + 1.4), (30.0, now + 6.0), (90.0, now + 18.0)] {
            let band = forecast.band(days);
            assert!((band.point / GB - point).abs() < 0.5, "{since} {band:?}");
            assert!((band.hi80 - band.lo80) < 4.0 * GB, "{since} {band:?}");
            assert!((band.hi95 - band.lo95) < 40.0 * GB, "{since} {band:?}");
        }
        let limit = forecast.level_bytes() + 10_000_000_000;
        let mid = forecast.passage(limit).point.expect("it grows");
        assert!((45.0..=51.0).contains(&mid), "{since}: {mid}");
    }
}

#[test]
fn a_saw_tooth_keeps_its_period_whatever_that_is() {
    for period in [7, 10, 14, 21, 28] {
        for phase in [0, 5] {
            for noisy in [0.0, 1.0] {
                let forecast = of((0..300).map(|day| {
                    100.0 + 5.0 * f64::from((day + phase) % period) + noisy * noise(day)
                }));
                let found = forecast.period_days().expect("a pattern");
                assert!((found - f64::from(period)).abs() < 0.5, "{period}: {found}");
                for record in forecast.backtest() {
                    // its teeth are 30 to 135 GB high, and the noise is one
                    assert!(record.error_bytes < 2.0 * GB, "{period} {phase} {record:?}");
                }
                // it has not grown, and does not
                let year = forecast.band(f64::from(period * 13));
                let now = forecast.band(0.0).point;
                assert!((year.point - now).abs() < 8.0 * GB, "{period} {year:?}");
            }
        }
    }
}

#[test]
fn one_fall_makes_no_pattern_of_the_noise_on_its_day_of_the_week() {
    for since in [7, 10, 40] {
        assert_eq!(fell(since, 0.3).period_days(), None, "{since}");
    }
}
