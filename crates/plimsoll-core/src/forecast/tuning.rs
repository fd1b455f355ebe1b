//! The constants of the method that matter most, in one place, so that they can be tuned and judged apart.

/// Constants of [`forecast`](super::forecast). Those that are not here were set once, by what they mean.
///
/// `docs/FORECAST.md` says on which series the values were set, and what leaving each of them out in turn costs
/// (`examples/leave_one_out.rs`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tuning {
    /// A rule's past errors lose half of their weight in so many days.
    pub judged_half_life_days: f64,
    /// How far a rule's record at one horizon counts at another: e-fold for this distance of logarithms.
    pub near: f64,
    /// Rules weigh by this power of their inverse errors, when there is any amount of evidence.
    pub power: f64,
    /// So many independent errors carry half of that power.
    pub half_evidence: f64,
    /// Errors that the bounds are made of lose half of their weight in so many days.
    pub errors_half_life_days: f64,
    /// How many standard errors of the quantile the 80 % bounds are raised by.
    pub raised: f64,
    /// A one-off step stands out by this many spreads of the increments before it.
    pub step_spreads: f64,
    /// A change of slope is clear when the t statistic of the means before and after is larger.
    pub turn_t: f64,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            judged_half_life_days: 60.0,
            near: 1.0,
            power: 6.0,
            half_evidence: 2.0,
            errors_half_life_days: 250.0,
            raised: 0.5,
            step_spreads: 20.0,
            turn_t: 6.0,
        }
    }
}
