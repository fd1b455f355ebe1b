//! Small robust statistics: medians, spreads, weighted quantiles, the normal distribution.

/// The median of `values`, which are reordered; 0 of none.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    let n = values.len();
    if n == 0 {
        return 0.0;
    }
    let (_, &mut upper, _) = values.select_nth_unstable_by(n / 2, f64::total_cmp);
    if n % 2 == 1 {
        return upper;
    }
    let lower = values[..n / 2]
        .iter()
        .copied()
        .fold(f64::NEG_INFINITY, f64::max);
    f64::midpoint(lower, upper)
}

/// Median, and 1.4826 times the median distance from it (the standard deviation of a normal
/// distribution; Hampel 1974). `values` are used up.
pub(crate) fn median_and_spread(values: &mut [f64]) -> (f64, f64) {
    let middle = median(values);
    for value in values.iter_mut() {
        *value = (*value - middle).abs();
    }
    (middle, 1.4826 * median(values))
}

/// What increments usually look like around a day, for judging one that stands out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usual {
    /// Their median.
    pub(crate) median: f64,
    /// Their spread ([`median_and_spread`]).
    pub(crate) spread: f64,
    /// The mean of their sizes without the largest tenth.
    pub(crate) mean_size: f64,
    /// Mean square over mean size. For sizes with an exponential tail, a multiple of this is
    /// exceeded by chance with a probability that falls exponentially in the multiple, however
    /// heavy the tail is: with gamma-distributed increments of variation 2 it is five means.
    pub(crate) tail: f64,
}

impl Usual {
    /// Of increments that do not hold the judged one; `values` are used up.
    pub(crate) fn of(values: &mut [f64]) -> Self {
        let (mut sum, mut squares) = (0.0, 0.0);
        for value in values.iter() {
            sum += value.abs();
            squares += value * value;
        }
        let mut sizes: Vec<f64> = values.iter().map(|value| value.abs()).collect();
        let kept = sizes.len() - sizes.len() / 10;
        if kept < sizes.len() {
            sizes.select_nth_unstable_by(kept, f64::total_cmp);
        }
        let mean_size = sizes[..kept].iter().sum::<f64>() / (kept.max(1) as f64);
        let (median, spread) = median_and_spread(values);
        Self {
            median,
            spread,
            mean_size,
            tail: if sum > 0.0 { squares / sum } else { 0.0 },
        }
    }
}

/// The quantile `q` of values with weights, whose sum is `total`, `sorted` by value: straight lines between the middles
/// of the weights.
pub(crate) fn weighted_quantile(sorted: &[(f64, f64)], total: f64, q: f64) -> f64 {
    let mut below = 0.0;
    let mut previous: Option<(f64, f64)> = None;
    for &(value, weight) in sorted {
        let share = (below + weight / 2.0) / total;
        if share >= q {
            return previous.map_or(value, |(before, at)| {
                before + (value - before) * (q - at) / (share - at)
            });
        }
        previous = Some((value, share));
        below += weight;
    }
    sorted.last().map_or(0.0, |&(value, _)| value)
}

/// The sum of the weights of values.
pub(crate) fn total_weight(values: &[(f64, f64)]) -> f64 {
    values.iter().map(|(_, weight)| weight).sum()
}

/// The slope of the least squares line through `(x, y)`; `None` when all `x` are the same.
pub(crate) fn line_slope(points: &[(f64, f64)]) -> Option<f64> {
    let n = points.len() as f64;
    let (sum_x, sum_y) = points
        .iter()
        .fold((0.0, 0.0), |(a, b), (x, y)| (a + x, b + y));
    let (mean_x, mean_y) = (sum_x / n, sum_y / n);
    let (mut sxy, mut sxx) = (0.0, 0.0);
    for (x, y) in points {
        sxy += (x - mean_x) * (y - mean_y);
        sxx += (x - mean_x) * (x - mean_x);
    }
    (sxx > 0.0).then(|| sxy / sxx)
}

/// The standard normal distribution function: Abramowitz and Stegun (1964), 26.2.17; error < 1e-7.
pub(crate) fn normal_cdf(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z.abs());
    let series = t
        * (0.319_381_530
            + t * (-0.356_563_782
                + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    let upper = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * series;
    if z < 0.0 { upper } else { 1.0 - upper }
}

/// A float as a count, held at zero and above.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, and NaN becomes 0"
)]
pub(crate) const fn whole(value: f64) -> usize {
    value as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_even_and_none() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&mut []), 0.0);
        let (middle, spread) = median_and_spread(&mut [1.0, 2.0, 3.0, 4.0, 100.0]);
        assert_eq!(middle, 3.0);
        assert!((spread - 1.4826).abs() < 1e-12);
    }

    #[test]
    fn quantiles_follow_the_weights() {
        let even = [(1.0, 1.0), (2.0, 1.0), (3.0, 1.0), (4.0, 1.0)];
        assert_eq!(weighted_quantile(&even, 4.0, 0.5), 2.5);
        assert_eq!(weighted_quantile(&even, 4.0, 0.99), 4.0);
        let heavy = [(1.0, 1.0), (2.0, 9.0)];
        assert!(weighted_quantile(&heavy, total_weight(&heavy), 0.4) > 1.7);
    }

    #[test]
    fn normal_distribution() {
        for (z, p) in [(0.0, 0.5), (1.2816, 0.9), (1.96, 0.975), (-1.96, 0.025)] {
            assert!((normal_cdf(z) - p).abs() < 1e-4, "{z}");
        }
    }
}
