//! Exponential smoothing: Holt's linear trend, damped or not, or a level alone.
//!
//! Holt (1957), Gardner and McKenzie (1985), in the error-correction form with additive errors of
//! Hyndman, Koehler, Ord and Snyder, *Forecasting with Exponential Smoothing* (2008): ETS(A,N,N),
//! (A,A,N) and (A,Ad,N). The parameters are the best of a grid by Akaike's criterion, fitted once a
//! series; the states of all days come from one pass.

use super::tuning::smoothing::{ALPHAS, SLOPES};

/// Parameters of one model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Parameters {
    /// How far the level follows an error.
    alpha: f64,
    /// How far the slope follows, as a share of `alpha`.
    beta: f64,
    /// What a slope keeps from one day to the next; 0 where there is no slope.
    pub(crate) phi: f64,
}

/// Level and slope after a day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct State {
    pub(crate) level: f64,
    pub(crate) slope: f64,
}

/// The parameters with the least Akaike criterion for the series `y`.
pub(crate) fn fit(y: &[f64]) -> Parameters {
    let n = y.len() as f64;
    let mut best = (
        f64::INFINITY,
        Parameters {
            alpha: 1.0,
            beta: 0.1,
            phi: 1.0,
        },
    );
    for (beta, phi, count) in SLOPES {
        for (alpha, squares) in ALPHAS.into_iter().zip(squares(y, beta, phi)) {
            let criterion = n * (squares / n).max(1e-12).ln() + 2.0 * count;
            if criterion < best.0 {
                best = (criterion, Parameters { alpha, beta, phi });
            }
        }
    }
    best.1
}

/// The sum of squared one-step errors for each of [`ALPHAS`]: what [`run`] finds, to the bit. A walk over the days waits
/// for each of its results, and six of them side by side wait no longer than one.
fn squares(y: &[f64], beta: f64, phi: f64) -> [f64; ALPHAS.len()] {
    let mut levels = [y[0]; ALPHAS.len()];
    let mut slopes = [first_slope(y, phi); ALPHAS.len()];
    let mut squares = [0.0; ALPHAS.len()];
    for &value in &y[1..] {
        for (i, alpha) in ALPHAS.into_iter().enumerate() {
            let carried = phi * slopes[i];
            let error = value - (levels[i] + carried);
            levels[i] += carried + alpha * error;
            slopes[i] = carried + alpha * beta * error;
            squares[i] += error * error;
        }
    }
    squares
}

/// The slope before the first day's error: that of the first eight days.
fn first_slope(y: &[f64], phi: f64) -> f64 {
    let first = y.len().min(8);
    (y[first - 1] - y[0]) / (first.max(2) - 1) as f64 * f64::from(phi > 0.0)
}

/// Level and slope after each day of `y`.
pub(crate) fn states(y: &[f64], parameters: Parameters) -> Vec<State> {
    let mut states = Vec::with_capacity(y.len());
    run(y, parameters, |state, _| states.push(state));
    states
}

/// Walks over `y` once; `each` gets the state after a day and that day's one-step error.
fn run(y: &[f64], parameters: Parameters, mut each: impl FnMut(State, f64)) {
    let Parameters { alpha, beta, phi } = parameters;
    let (mut level, mut slope) = (y[0], first_slope(y, phi));
    each(State { level, slope }, 0.0);
    for &value in &y[1..] {
        let error = value - (level + phi * slope);
        level += phi * slope + alpha * error;
        slope = phi * slope + alpha * beta * error;
        each(State { level, slope }, error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_straight_line_is_followed_exactly() {
        let y: Vec<f64> = (0..60).map(|i| 5.0 + 3.0 * f64::from(i)).collect();
        let fitted = fit(&y);
        assert_eq!(fitted.phi, 1.0);
        let last = *states(&y, fitted).last().unwrap();
        assert!((last.level - 182.0).abs() < 1e-6, "{last:?}");
        assert!((last.slope - 3.0).abs() < 1e-6);
    }

    #[test]
    fn side_by_side_the_errors_are_those_of_one_walk_after_another() {
        for days in [1, 2, 5, 90] {
            let y: Vec<f64> = (0..days)
                .map(|i| f64::from(i) * 3.7 + f64::from((i * 7919) % 131))
                .collect();
            for (beta, phi, _) in SLOPES {
                for (alpha, squares) in ALPHAS.into_iter().zip(squares(&y, beta, phi)) {
                    let mut alone = 0.0;
                    let parameters = Parameters { alpha, beta, phi };
                    run(&y, parameters, |_, error| alone += error * error);
                    assert_eq!(squares.to_bits(), alone.to_bits(), "{parameters:?}");
                }
            }
        }
    }

    #[test]
    fn noise_around_a_level_has_no_slope() {
        let y: Vec<f64> = (0..80)
            .map(|i| 100.0 + f64::from((i * 7919) % 13) - 6.0)
            .collect();
        let last = *states(&y, fit(&y)).last().unwrap();
        assert!((last.level - 100.0).abs() < 4.0, "{last:?}");
        assert!(last.slope.abs() < 0.2);
    }
}
