//! Every constant of the method, with its reason.
//!
//! `docs/FORECAST.md` says on which series the values were set and how they were proven on others.

/// The constants of [`forecast`](super::forecast) that matter most: those that can be tuned anew and judged for it
/// (`examples/leave_one_out`). Around the values that are shipped errors change by less than two hundredths.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tuning {
    /// A rule's past errors lose half of their weight in so many days.
    pub judged_half_life_days: f64,
    /// How far a rule's record at one horizon counts at another: e-fold for this distance of logarithms. At 90 days
    /// few errors are independent, so that the record at shorter horizons has to help.
    pub near: f64,
    /// Rules weigh by this power of their inverse errors, when there is any amount of evidence.
    pub power: f64,
    /// So many independent errors carry half of that power.
    pub half_evidence: f64,
    /// What the rules say is combined without this share of their weight at either end, so that one rule that is ten
    /// times too high carries nothing with it.
    pub trimmed: f64,
    /// "No change" has the prior (30 / h) to this power: on plateaus a little of many rules is still a creep, which
    /// costs most at short horizons, and over months few sizes stand still.
    pub still: f64,
    /// Errors that the bounds are made of lose half of their weight in so many days.
    pub errors_half_life_days: f64,
    /// How many standard errors of the quantile the 80 % bounds are raised by at 7 days.
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
            near: 1.5,
            power: 12.0,
            half_evidence: 6.0,
            trimmed: 0.25,
            still: 0.9,
            errors_half_life_days: 250.0,
            raised: 0.5,
            step_spreads: 20.0,
            turn_t: 6.0,
        }
    }
}

/// Constants of the daily grid.
pub(super) mod grid {
    /// Seconds in a day.
    pub(crate) const DAY: f64 = 86_400.0;
    /// Older history says nothing about the next months, and would cost time.
    pub(crate) const MAX_DAYS: usize = 730;
    /// A value inside a longer gap between samples is a guess: no error is measured on it.
    pub(crate) const LONGEST_SEEN_GAP: f64 = 4.0;
    /// History before a longer gap than this is another story, if enough follows the gap.
    pub(crate) const CUT_AT_GAP: f64 = 120.0;
    /// How many days after a long gap are enough to forget what was before it.
    pub(crate) const ENOUGH_AFTER_GAP: f64 = 60.0;
    /// Days between two samples from which a jump between them is looked at.
    pub(crate) const LONG_GAP: f64 = 1.25;
    /// The same, where days are anchored and samples may lie on either side of an anchor.
    pub(crate) const SHORT_GAP: f64 = 0.5;
    /// A sample so much later than its anchor still is of that day: a daily sample is not taken to the second, and what
    /// jumped before it must not fall on the one day now and on the next one then.
    pub(crate) const SAME_TIME: f64 = 1.0 / 48.0;
    /// A day is whole when less than this share of it is still to come: samples are not taken to the second.
    pub(crate) const WHOLE_BUT: f64 = 0.05;
    /// So many days fewer than the most sampled hour may another hour have that is taken for the anchor: the first hour
    /// of the day among equals, whichever of them has just been sampled.
    pub(crate) const EQUALLY_SAMPLED: usize = 2;
}

/// Constants of steps that a gap between samples hides.
pub(super) mod gaps {
    /// Samples nearer to each other, in days, tell no rate of a day.
    pub(crate) const SHORTEST_DAYS: f64 = 0.5;
    /// So many rates tell what is usual, at most
    pub(crate) const PAIRS: usize = 60;
    /// and at least.
    pub(crate) const LEAST_PAIRS: usize = 8;
    /// A step exceeds what is usual in the gap by so many spreads
    pub(crate) const EXCESS_SPREADS: f64 = 10.0;
    /// and by so many times the usual growth: a bulk load in a gap of three days was no growth of three days.
    pub(crate) const EXCESS_RATES: f64 = 5.0;
}

/// Constants of what leaves the trend.
pub(super) mod clean {
    /// A one-off step stands out by [`step_spreads`](super::Tuning::step_spreads) and by this many times the mean
    /// size of the sixty increments before it,
    pub(crate) const STEP_MEANS: f64 = 10.0;
    /// and by this many times their mean square over mean size (`Usual::tail`),
    pub(crate) const STEP_TAILS: f64 = 7.0;
    /// and is at least this share of the largest size so far.
    pub(crate) const STEP_SHARE: f64 = 0.01;
    /// So many increments before a day tell what is usual.
    pub(crate) const WINDOW: usize = 60;
    /// A slope change is at least this share of the larger slope.
    pub(crate) const TURN_SHARE: f64 = 0.4;
}

/// Constants of steps that come back.
pub(super) mod pattern {
    /// A step stands out by this many spreads of the sixty increments around it,
    pub(crate) const STANDS_OUT_SPREADS: f64 = 6.0;
    /// and by this many times their median,
    pub(crate) const STANDS_OUT_MEDIANS: f64 = 3.0;
    /// and is at least this share of the size.
    pub(crate) const STANDS_OUT_SHARE: f64 = 0.002;
    /// What the size gains over whole periods is taken from so many days.
    pub(crate) const DRIFT_DAYS: f64 = 84.0;
    /// Pitches may differ by this share of the period (and always by a day).
    pub(crate) const JITTER: f64 = 0.15;
    /// Fewer steps are no pattern,
    pub(crate) const LEAST_STEPS: usize = 3;
    /// and fewer than these are none where others of their size came before, irregularly.
    pub(crate) const LEAST_AFTER_OTHERS: usize = 5;
    /// A shorter period is left to the weekly pattern.
    pub(crate) const SHORTEST_PERIOD: f64 = 4.0;
    /// A drop gives back what came in at most this many periods before.
    pub(crate) const LONGEST_LAG: usize = 14;
    /// What came in tells the drops when it is wrong by less than this share of what the last drops would be wrong
    /// by,
    pub(crate) const TELLS_MORE: f64 = 0.8;
    /// and by less than this share of a drop, at the mean,
    pub(crate) const TELLS: f64 = 0.25;
    /// or at the median by less than this: then drops give back just what came in, and the rest is what came in on
    /// their days.
    pub(crate) const EXACT: f64 = 0.12;
}

/// Constants of drops on one day of the week or of the month.
pub(super) mod calendar {
    /// History before this says little about how partitions are dropped now.
    pub(crate) const LONGEST_DAYS: usize = 450;
    /// Of all bytes that went, so much went on the day of the calendar, the largest drop there left out.
    pub(crate) const SHARE_OF_LOSS: f64 = 0.9;
    /// What went comes to at least this share of the largest size.
    pub(crate) const MATERIAL: f64 = 0.05;
    /// So many increments before and after tell what a day would have moved without the drop.
    pub(crate) const AROUND: usize = 15;
    /// A last drop longer ago than this many periods is the end of the pattern: one may fail to come, because nothing
    /// came in.
    pub(crate) const OVERDUE: f64 = 2.3;
    /// Of the drops, one in so many at least follows one a period before: what drops every other time has a longer
    /// period.
    pub(crate) const ONE_IN_A_ROW: usize = 4;
    /// So many drops on one day of the week make a pattern: by chance they come so in one of 7^4 cases.
    pub(crate) const LEAST_WEEKLY: usize = 5;
    /// Of these days since the first drop, so many had one.
    pub(crate) const SHARE_OF_WEEKS: f64 = 0.5;
    /// So many drops on one day of the month make a pattern: one of 28^2 cases.
    pub(crate) const LEAST_MONTHLY: usize = 3;
    /// Of these days since the first drop, so many had one.
    pub(crate) const SHARE_OF_MONTHS: f64 = 0.66;
}

/// Constants of the rules.
pub(super) mod rules {
    /// Half-lives, in days, of the exponentially weighted mean increments. One of 7 follows noise.
    pub(crate) const HALF_LIVES: [f64; 5] = [14.0, 28.0, 56.0, 112.0, 224.0];
    /// The window, in days, of the rate of growth in per cent. Over 28 days it follows every load.
    pub(crate) const GROWTH_DAYS: usize = 84;
    /// Growth in per cent is carried on for so many days, and in a straight line after them.
    pub(crate) const LONGEST_GROWTH: f64 = 90.0;
    /// Windows, in days, whose slopes' median is a rule: short ones win at 7 days, long ones at 30 and 90.
    pub(crate) const WINDOWS: [usize; 6] = [7, 14, 28, 56, 112, 168];
    /// The window, in days, of the long mean increment, and
    pub(crate) const LONG_DAYS: usize = 224;
    /// of the one with one-off steps: over a year they are drift.
    pub(crate) const YEAR: usize = 365;
    /// A slope that settles begins with that of so many days,
    pub(crate) const SETTLES_FROM_DAYS: usize = 14;
    /// ends with that of a year, and keeps this share of the difference from day to day: half of it for a week.
    pub(crate) const SETTLES: f64 = 0.9;
}

/// The grid of exponential smoothing: dense where storage lies, slopes that follow slowly.
pub(super) mod smoothing {
    /// How far the level may follow an error.
    pub(crate) const ALPHAS: [f64; 6] = [0.1, 0.3, 0.5, 0.7, 0.85, 1.0];
    /// The slopes that are tried: (beta, phi, how many parameters it costs)
    pub(crate) const SLOPES: [(f64, f64, f64); 13] = [
        (0.0, 0.0, 2.0),
        (0.01, 1.0, 4.0),
        (0.03, 1.0, 4.0),
        (0.07, 1.0, 4.0),
        (0.15, 1.0, 4.0),
        (0.3, 1.0, 4.0),
        (0.6, 1.0, 4.0),
        (0.05, 0.98, 5.0),
        (0.15, 0.98, 5.0),
        (0.3, 0.98, 5.0),
        (0.1, 0.9, 5.0),
        (0.3, 0.9, 5.0),
        (0.6, 0.9, 5.0),
    ];
}

/// Constants of how rules are judged and combined.
pub(super) mod pool {
    /// Horizons, in days, at which rules are judged and errors are collected.
    pub(crate) const NODES: [usize; 8] = [1, 2, 4, 7, 14, 30, 60, 90];
    /// From this horizon on rules are judged with one-off steps in what came: over a month and more, steps that come
    /// now and then are drift, and rules that leave them out are too low.
    pub(crate) const DRIFT_FROM_DAYS: usize = 30;
    /// At most so many past origins are looked at.
    pub(crate) const MAX_ORIGINS: usize = 150;
    /// No origin has a shorter history.
    pub(crate) const LEAST_HISTORY: usize = 14;
    /// Rules are not told apart by less than this share of the typical error.
    pub(crate) const RIDGE: f64 = 0.02;
    /// Fewer errors at a horizon say nothing about the rules.
    pub(crate) const LEAST_JUDGED: f64 = 3.0;
    /// The prior of "no change" is 1 at this horizon, and
    pub(crate) const STILL_DAYS: f64 = 30.0;
    /// is held where it is outside these.
    pub(crate) const STILL_WITHIN: (f64, f64) = (7.0, 90.0);
}

/// Constants of how far the common forecast is believed.
pub(super) mod skill {
    /// What was missed loses half of its weight in so many days.
    pub(crate) const HALF_LIFE_DAYS: f64 = 250.0;
    /// How far the record at one horizon counts at another: e-fold for this distance of logarithms.
    pub(crate) const NEAR: f64 = 1.0;
    /// So many independent errors carry half of the power.
    pub(crate) const HALF_EVIDENCE: f64 = 3.0;
    /// Candidates weigh by this power of their inverse errors, when there is any amount of evidence.
    pub(crate) const POWER: f64 = 8.0;
    /// The whole forecast, and what the same phase says, weigh so many times as much as half of it or nothing.
    pub(crate) const PRIOR: f64 = 4.0;
    /// Candidates are not told apart by less than this share of the error of the forecast.
    pub(crate) const RIDGE: f64 = 0.05;
}

/// Constants of the bounds. What is said of 90 days begins at 7 and grows with the logarithm of the horizon.
pub(super) mod interval {
    /// Bounds change their manner between these horizons, in days.
    pub(crate) const NEAR_AND_FAR: (f64, f64) = (7.0, 90.0);
    /// Fewer errors at a horizon tell nothing about it.
    pub(crate) const LEAST_ERRORS: usize = 8;
    /// Independent errors per horizon's length of history: neighbouring ones overlap.
    pub(crate) const INDEPENDENT: f64 = 2.0;
    /// So many standard errors more are the 80 % bounds raised by at 90 days: the past errors there are few.
    pub(crate) const RAISED_FAR: f64 = 0.3;
    /// How many standard errors of its quantile the 95 % bound is raised by: few errors tell it.
    pub(crate) const RAISED95: f64 = 1.0;
    /// The 95 % bounds are at least this many times the 80 % ones, and
    pub(crate) const LEAST_RATIO: f64 = 1.5;
    /// so much more at 90 days, where a whole history holds a few independent errors.
    pub(crate) const LEAST_RATIO_FAR: f64 = 1.0;
    /// This share of a past error at 90 days is scaled by the size now over the size then: errors grow with what
    /// grows.
    pub(crate) const GROWS: f64 = 0.3;
    /// The size now over the size then is held within these: a size that was next to nothing tells no scale.
    pub(crate) const GROWN: (f64, f64) = (0.5, 2.0);
    /// Beyond this horizon, in days, past origins must
    pub(crate) const SHORT_HORIZON: usize = 14;
    /// span so many horizons: errors of one are one error.
    pub(crate) const SPANS: usize = 2;
    /// Past what history can check, widths grow with the horizon to a power within these, and
    pub(crate) const EXPONENTS: (f64, f64) = (0.8, 1.3);
    /// to this where history cannot tell the power.
    pub(crate) const EXPONENT: f64 = 0.9;
    /// The quantiles of errors with jumps one way that bounds reach to: beyond the 80 % bounds lies a tenth on either
    /// side,
    pub(crate) const WITH_JUMPS80: f64 = 0.9;
    /// and beyond the 95 % ones a fortieth.
    pub(crate) const WITH_JUMPS95: f64 = 0.975;
    /// At 90 days the 95 % bounds are at least this share of the growth away that is expected until then: a rate that
    /// was steady for as long as anybody looked may change tomorrow.
    pub(crate) const RATE_CHANGES: f64 = 0.7;
    /// What jumps add grows with the horizon to this power past what history can check: they come now and then, in
    /// either direction.
    pub(crate) const JUMPS_EXPONENT: f64 = 0.5;
    /// Share of the size below which a width is noise of rounding.
    pub(crate) const FLOOR: f64 = 1e-6;
    /// No quantile is above this.
    pub(crate) const HIGHEST: f64 = 0.995;
    /// Less history than this many days is called short.
    pub(crate) const SHORT_DAYS: f64 = 60.0;
}

/// Constants of the first passage.
pub(super) mod passage {
    /// A series that moves in jerks meets a limit before its smooth path does, so that the median of the first passage
    /// is a little earlier than the path's: by this share of the 80 % half-width without jumps. One jump in the past is
    /// no reason to expect the next one before the path arrives.
    pub(crate) const JERKS_AHEAD: f64 = 0.2;
}

/// Constants of the record.
pub(super) mod backtest {
    /// The horizons that are reported.
    pub(crate) const HORIZONS: [usize; 3] = [7, 30, 90];
    /// The bounds are made anew for about so many of the past days.
    pub(crate) const CHECKED: usize = 16;
    /// Fewer checks are no share.
    pub(crate) const LEAST_CHECKED: usize = 4;
    /// Bounds of a shorter history are not held against it.
    pub(crate) const LEAST_HISTORY: usize = 30;
}
