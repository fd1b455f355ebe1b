//! The present pace: when a volume is full if it goes on as in the last minutes or hours.
//!
//! Windows of ten minutes to a day are tried; the one whose slope stands out most from what is usual for a window of
//! its length is where something began, and its slope is the pace. A fixed window is either too long to see what
//! began an hour ago or too short to be right about what began yesterday. The largest ratio is found near the onset:
//! a shorter window is noisier, a longer one mixes in what was before. Where none stands out, the pace is that of
//! the longest window: growth that is a week old is usual by then, and still fills the disk.

pub mod constants;
mod counts;
mod excuse;
mod onset;
mod slope;
mod usual;

use jiff::{SignedDuration, Timestamp};

use constants::{
    BACKGROUND_DAYS, BLOCKS, FURTHEST_HOURS, GAINED, GAINS_MORE, LEAST_BACKGROUND, LEAST_LOOKS,
    LEAST_SECONDS, LEAST_SPREAD, LEFT_OUT, NOTHING, ONSET_BLOCKS, RISING_BLOCKS, STANDS_OUT,
    WINDOWS, YOUNG,
};
use onset::onset;
use slope::{Block, Slope, blocks, middle_slope};

pub use excuse::{Rewrite, without_rewrites};
pub use usual::Usual;

use crate::forecast::Point;
use crate::forecast::stats::{median, whole};

/// Why there is no pace yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a pace needs three looks over two minutes, and has {looks} over {seconds} s so far")]
pub struct TooFew {
    /// Looks that there are.
    pub looks: usize,
    /// Seconds between the first and the last of them.
    pub seconds: i64,
}

/// How fast a volume fills at present.
#[derive(Debug, Clone, PartialEq)]
pub struct Pace {
    /// Bytes an hour now. Negative where the volume empties.
    pub bytes_per_hour: f64,
    /// Four times in five it is above this, and
    pub low: f64,
    /// below this.
    pub high: f64,
    /// What the pace gains in an hour, where growth accelerates; else 0.
    pub gains_per_hour: f64,
    /// By how much the bytes come and go about their line.
    pub swing: Swing,
    /// The window that this is the pace of.
    pub window: SignedDuration,
    /// When the looks began to rise as they do, as far as the window tells.
    began: Option<Timestamp>,
    /// When it began, if it stands out from what is usual.
    pub since: Option<Timestamp>,
    /// Whether there was less than a day of background: then nothing counts as usual.
    pub is_young: bool,
}

/// What comes and goes about a line: WAL between two checkpoints, temporary files. A volume is full when the highest
/// of it meets the capacity, so the dates count from there, and not from wherever the last look happened to be.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Swing {
    /// The last look, above the line.
    pub last: f64,
    /// The quantiles .5, .9 and 1 of all looks, above the line.
    pub above: [f64; 3],
}

/// When something is full: low is early. None is "not within a year".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Full {
    /// Nine times in ten not before this.
    pub low: Option<Timestamp>,
    /// The best guess.
    pub mid: Option<Timestamp>,
    /// Nine times in ten before this.
    pub high: Option<Timestamp>,
}

/// The slopes of all windows at one moment, in bytes an hour, for [`Usual`]. Windows that reach back further than the
/// looks have none.
///
/// `looks` are sorted, and end at `now`.
pub fn slopes(looks: &[Point], now: Timestamp) -> [Option<f64>; WINDOWS.len()] {
    std::array::from_fn(|window| whole_window(looks, now, window))
}

impl Usual {
    /// Counts the slopes of one moment.
    pub fn count(&mut self, slopes: &[Option<f64>; WINDOWS.len()]) {
        for (window, slope) in slopes.iter().enumerate() {
            if let Some(slope) = slope {
                self.add(window, *slope, 1);
            }
        }
    }

    /// The stretch of time whose slopes say what is usual at `now`: the seven days that end where the longest window
    /// begins.
    pub fn stretch(now: Timestamp) -> (Timestamp, Timestamp) {
        let end = now - SignedDuration::from_mins(i64::from(WINDOWS[WINDOWS.len() - 1]));
        (end - SignedDuration::from_hours(24 * BACKGROUND_DAYS), end)
    }
}

/// The pace at `now`, from looks at the used bytes of the last day and from what is usual.
///
/// `looks` are sorted; those after `now` do not count.
///
/// # Errors
/// With fewer than three looks, or looks that cover less than two minutes.
pub fn pace(
    looks: &[Point],
    usual: &Usual,
    available_bytes: u64,
    now: Timestamp,
) -> Result<Pace, TooFew> {
    let looks = &looks[..looks.partition_point(|look| look.at <= now)];
    let seconds = match looks {
        [first, .., last] => last.at.as_second() - first.at.as_second(),
        _ => 0,
    };
    let too_few = TooFew {
        looks: looks.len(),
        seconds,
    };
    if looks.len() < LEAST_LOOKS || seconds < LEAST_SECONDS {
        return Err(too_few);
    }
    let is_young = usual.total(0) < LEAST_BACKGROUND;
    let window = if is_young {
        None
    } else {
        most_unusual(looks, usual, available_bytes, now)
    };
    let longest = seconds_of(WINDOWS.len() - 1);
    // One second more: the first look is part of the window.
    let span = window.map_or_else(
        || longest.min(now.as_second() - looks[0].at.as_second() + 1),
        seconds_of,
    );
    let blocks = blocks(looks, now, span, ONSET_BLOCKS);
    let begins = window.is_some() || is_young;
    let mut pace =
        Pace::of(&blocks, span, begins, window.is_some(), is_young, now).ok_or(too_few)?;
    let began = pace
        .began
        .unwrap_or_else(|| now - SignedDuration::from_secs(span));
    pace.swing = pace.swing_of(&looks[looks.partition_point(|look| look.at < began)..], now);
    Ok(pace)
}

/// The window whose slope is the largest multiple of what is usual for its length, if it stands out.
fn most_unusual(
    looks: &[Point],
    usual: &Usual,
    available_bytes: u64,
    now: Timestamp,
) -> Option<usize> {
    let gained = (GAINED * available_bytes as f64).max(NOTHING);
    let mut best: Option<(f64, usize)> = None;
    for window in 0..WINDOWS.len() {
        let Some(slope) = whole_window(looks, now, window) else {
            continue;
        };
        let hours = seconds_of(window) as f64 / 3600.0;
        let ratio = slope / usual.slope(window).max(NOTHING / hours);
        if slope * hours > gained && ratio > STANDS_OUT && best.is_none_or(|(most, _)| ratio > most)
        {
            best = Some((ratio, window));
        }
    }
    best.map(|(_, window)| window)
}

fn whole_window(looks: &[Point], now: Timestamp, window: usize) -> Option<f64> {
    let seconds = seconds_of(window);
    // A minute's grace: a pulse is a moment late now and then.
    let reaches_back = looks.first()?.at.as_second() <= now.as_second() - seconds + 60;
    if reaches_back {
        middle_slope(&blocks(looks, now, seconds, BLOCKS))
    } else {
        None
    }
}

fn seconds_of(window: usize) -> i64 {
    i64::from(WINDOWS[window]) * 60
}

impl Pace {
    fn of(
        blocks: &[Block],
        window_seconds: i64,
        begins: bool,
        stands_out: bool,
        is_young: bool,
        now: Timestamp,
    ) -> Option<Self> {
        let began = begins.then(|| onset(blocks, RISING_BLOCKS));
        let rising = &blocks[began.map_or(0, |onset| onset.level.saturating_sub(1))..];
        let slope = Slope::of(rising)?;
        let (pace, gains) = began
            .and_then(|onset| onset.parabola)
            .unwrap_or((slope.mid, 0.0));
        let wider = if is_young { YOUNG } else { 1.0 };
        let least = LEAST_SPREAD * pace.abs();
        let below = (slope.mid - slope.quantile(LEFT_OUT)).max(least);
        let above = (slope.quantile(1.0 - LEFT_OUT) - slope.mid).max(least);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "an onset lies in the window"
        )]
        let began =
            began.map(|onset| now + SignedDuration::from_secs((onset.hour * 3600.0) as i64));
        Some(Self {
            bytes_per_hour: pace,
            low: pace - wider * below,
            high: pace + wider * above,
            gains_per_hour: gains,
            swing: Swing::default(),
            window: SignedDuration::from_secs(window_seconds),
            began,
            since: began.filter(|_| stands_out),
            is_young,
        })
    }

    fn swing_of(&self, looks: &[Point], now: Timestamp) -> Swing {
        let line = |look: &Point| {
            let hour = (look.at.as_second() - now.as_second()) as f64 / 3600.0;
            look.bytes as f64 - self.bytes_per_hour * hour - self.gains_per_hour / 2.0 * hour * hour
        };
        let mut above: Vec<f64> = looks.iter().map(line).collect();
        let Some(last) = above.last().copied() else {
            return Swing::default();
        };
        let level = median(&mut above);
        above.sort_unstable_by(f64::total_cmp);
        let quantile = |q: f64| above[whole(q * (above.len() - 1) as f64)] - level;
        Swing {
            last: last - level,
            above: [0.5, 0.9, 1.0].map(quantile),
        }
    }

    /// When `available_bytes` more are used.
    pub fn full(&self, available_bytes: u64, now: Timestamp) -> Full {
        let date = |pace: f64, gains: f64, above: f64| {
            let bytes = available_bytes as f64;
            // What only comes and goes leaves some room, or there would be none now.
            let to_go = (bytes + self.swing.last - above).max(bytes / 2.0);
            let hours = hours_until(to_go, pace, gains)?;
            #[expect(clippy::cast_possible_truncation, reason = "a year of seconds fits")]
            let seconds = (hours * 3600.0) as i64;
            now.checked_add(SignedDuration::from_secs(seconds)).ok()
        };
        Full {
            low: date(
                self.high,
                self.gains_per_hour * GAINS_MORE,
                self.swing.above[2],
            ),
            mid: date(
                self.bytes_per_hour,
                self.gains_per_hour,
                self.swing.above[1],
            ),
            high: date(
                self.low,
                self.gains_per_hour / GAINS_MORE,
                self.swing.above[0],
            ),
        }
    }
}

/// The hours in which `bytes` are gained, by a pace that itself gains; none if that is not within a year.
fn hours_until(bytes: f64, pace: f64, gains: f64) -> Option<f64> {
    if bytes <= 0.0 {
        return Some(0.0);
    }
    if pace <= 0.0 {
        return None;
    }
    // The root of gains / 2 t^2 + pace t = bytes in the form that holds for gains of 0 too.
    let hours = 2.0 * bytes / (pace + (pace * pace + 2.0 * gains * bytes).sqrt());
    (hours <= FURTHEST_HOURS).then_some(hours)
}

#[cfg(test)]
mod tests;
