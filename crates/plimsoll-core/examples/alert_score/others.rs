//! The rules that others have, as people configure them.

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::forecast::Point;

/// Where Prometheus' `predict_linear` over `window` says that the bytes are `ahead` of now: least squares through the
/// looks of the window, from its line at now (`promql/functions.go`, `linearRegression`). None with fewer than two looks.
pub(crate) fn predict_linear(
    points: &[Point],
    window: SignedDuration,
    ahead: SignedDuration,
    now: Timestamp,
) -> Option<f64> {
    let from = points.partition_point(|point| point.at < now - window);
    let recent = &points[from..];
    if recent.len() < 2 {
        return None;
    }
    let count = recent.len() as f64;
    let x = |point: &Point| point.at.duration_since(now).as_secs_f64();
    let mean = |of: &dyn Fn(&Point) -> f64| recent.iter().map(of).sum::<f64>() / count;
    let (mean_x, mean_y) = (mean(&x), mean(&|point| point.bytes as f64));
    let moment = |of: &dyn Fn(f64, f64) -> f64| -> f64 {
        let parts = recent
            .iter()
            .map(|point| of(x(point) - mean_x, point.bytes as f64 - mean_y));
        parts.sum()
    };
    let squares = moment(&|x, _| x * x);
    if squares <= 0.0 {
        return None;
    }
    let slope = moment(&|x, y| x * y) / squares;
    Some(mean_y + slope * (ahead.as_secs_f64() - mean_x))
}

/// Whether a static share is used.
pub(crate) fn is_above(bytes: u64, whole: u64, per_cent: u64) -> bool {
    u128::from(bytes) * 100 >= u128::from(whole) * u128::from(per_cent)
}
