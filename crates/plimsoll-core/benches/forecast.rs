//! 100,000 series of 90 points on one core: 5 % moving in under 3 s, all moving in under 40 s,
//! each with its backtest. Prints what it took, and fails when it took longer.
//!
//! `cargo bench --profile fast -p plimsoll-core --bench forecast`
#![expect(clippy::print_stdout, reason = "a bench prints its result")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use plimsoll_core::events::shapes;
use plimsoll_core::forecast::{Point, forecast};

const SERIES: u32 = 100_000;
const DAYS: u32 = 90;
const DAY_SECONDS: i64 = 86_400;
/// Distinct moving series; each is forecast many times over.
const DISTINCT: u32 = 1000;

/// A series of a gigabyte that grows by some pages a day and now and then jumps.
fn moving(seed: u32) -> Vec<Point> {
    let mut state = u64::from(seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % 1000
    };
    let mut bytes = 1_u64 << 30;
    points(move |_| {
        bytes += 8192 * random();
        if random() < 5 {
            bytes += 1 << 28;
        }
        bytes
    })
}

fn points(mut size: impl FnMut(u32) -> u64) -> Vec<Point> {
    (0..DAYS)
        .map(|day| Point {
            at: Timestamp::UNIX_EPOCH
                + jiff::SignedDuration::from_secs(DAY_SECONDS * i64::from(day)),
            bytes: size(day),
        })
        .collect()
}

fn forecast_all(moving_share: u32, series: &[Vec<Point>], constant: &[Point]) -> Duration {
    let started = Instant::now();
    for (i, moving) in (0..SERIES).zip(series.iter().cycle()) {
        let points = if i % 100 < moving_share {
            moving
        } else {
            constant
        };
        if let Ok(forecast) = forecast(points, &[]) {
            black_box((forecast.band(30.0), forecast.backtest()));
        }
    }
    started.elapsed()
}

fn main() {
    let series: Vec<_> = (0..DISTINCT).map(moving).collect();
    let constant = points(|_| 1 << 30);
    let mut too_slow = false;
    for (moving_share, bar) in [(5, 3), (100, 40)] {
        let took = forecast_all(moving_share, &series, &constant);
        too_slow |= took > Duration::from_secs(bar);
        println!(
            "{SERIES} series of {DAYS} points, {moving_share} % moving: {:.1} s (at most {bar} s)",
            took.as_secs_f64()
        );
    }
    let started = Instant::now();
    for points in &series {
        black_box(shapes(points, &[]));
    }
    println!(
        "the shapes of {DISTINCT} moving series: {:.2} s",
        started.elapsed().as_secs_f64()
    );
    assert!(!too_slow, "slower than promised");
}
