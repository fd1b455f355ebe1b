//! One value out of the rules' values: a weighted mean without its extremes.

use super::rules::RULES;
use super::tuning::Tuning;

/// The weighted mean of `values` after [`Tuning::trimmed`] of the weight was left out at either end.
///
/// A mean follows one rule that is ten times too high, however little it weighs; a median wastes what
/// the others know. Trimming is between the two (Jose and Winkler 2008, "Simple robust averages of forecasts").
pub(super) fn trimmed_mean(weights: &[f64; RULES], values: &[f64; RULES], tuning: &Tuning) -> f64 {
    // fourteen values are sooner compared with each other, several at once, than sorted; in two passes, since the sums of
    // one fill the processor's registers
    let mut below = [0.0; RULES];
    for (&other, &weight) in values.iter().zip(weights) {
        for (below, &value) in below.iter_mut().zip(values) {
            *below += if other < value { weight } else { 0.0 };
        }
    }
    let mut equal = [0.0; RULES];
    for (&other, &weight) in values.iter().zip(weights) {
        for (equal, &value) in equal.iter_mut().zip(values) {
            *equal += if other == value { weight } else { 0.0 };
        }
    }
    let total: f64 = weights.iter().sum();
    let (from, to) = (tuning.trimmed * total, (1.0 - tuning.trimmed) * total);
    let mut sum = 0.0;
    for i in 0..RULES {
        // what is kept of all that are equal, and this one's share of that
        let kept = f64::min(below[i] + equal[i], to) - f64::max(below[i], from);
        sum += kept.max(0.0) * values[i] * (weights[i] / equal[i].max(f64::MIN_POSITIVE));
    }
    sum / (to - from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn combined(values: [f64; RULES], weights: [f64; RULES]) -> f64 {
        trimmed_mean(&weights, &values, &Tuning::default())
    }

    #[test]
    fn one_rule_that_is_ten_times_too_high_does_not_carry_the_others_with_it() {
        let mut values = [1.0; RULES];
        let mut weights = [1.0; RULES];
        values[6] = 10.0;
        weights[6] = 3.0;
        assert!((combined(values, weights) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn what_lies_between_the_ends_counts_by_its_weight() {
        let mut values = [0.0; RULES];
        let mut weights = [0.0; RULES];
        // a third below, a third in the middle, a third above: a twelfth of either end is left
        (values[0], weights[0]) = (-8.0, 1.0);
        (values[1], weights[1]) = (3.0, 1.0);
        (values[2], weights[2]) = (20.0, 1.0);
        let expected = (0.25 * -8.0 + 3.0 + 0.25 * 20.0) / 1.5;
        assert!((combined(values, weights) - expected).abs() < 1e-12);
    }

    #[test]
    fn order_is_no_matter() {
        let mut values = [0.0; RULES];
        for (i, value) in values.iter_mut().enumerate() {
            *value = ((i * 5) % RULES) as f64;
        }
        let weights = [1.0; RULES];
        let mut reversed = values;
        reversed.reverse();
        assert_eq!(combined(values, weights), combined(reversed, weights));
    }
}
