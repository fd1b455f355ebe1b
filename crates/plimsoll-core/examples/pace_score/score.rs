//! How well the pace foresees made-up volumes: error, cover and misses of burns, false alarms on ordinary days.

use jiff::Timestamp;
use plimsoll_core::disk::pace::{Full, Usual, pace, slopes};

use crate::generate::{BURNS, Burn, ORDINARY, Ordinary, Volume, burns, days};

/// What is usual is counted at every so manieth minute; each counts for all of them.
const STRIDE: usize = 5;
/// On ordinary days a look is taken every so many minutes.
const EVERY: usize = 2;

/// How one kind of burns was foreseen.
pub(crate) struct Burned {
    pub(crate) name: String,
    pub(crate) burns: usize,
    /// The median of the remaining time's relative errors. Not seen counts as 1.
    pub(crate) median_error: f64,
    /// Of those that were seen, the share that was full within the range.
    pub(crate) cover: f64,
    /// For how many the answer was "not within a year".
    pub(crate) not_seen: usize,
    errors: Vec<f64>,
    covered: usize,
}

/// How many ordinary days had a false alarm.
pub(crate) struct Ordinarily {
    pub(crate) name: String,
    pub(crate) days: usize,
    /// Days with "full within a day" at two looks in a row.
    pub(crate) false_alarms: usize,
}

/// Each kind of burn, and all together: asked when `share` of the time from the onset to full has passed.
pub(crate) fn score_burns(share: f64) -> Vec<Burned> {
    let mut scores: Vec<Burned> = BURNS.iter().map(|kind| score(*kind, share)).collect();
    let errors = scores
        .iter()
        .flat_map(|score| score.errors.clone())
        .collect();
    let covered = scores.iter().map(|score| score.covered).sum();
    let not_seen = scores.iter().map(|score| score.not_seen).sum();
    scores.push(Burned::of("all".to_owned(), errors, covered, not_seen));
    scores
}

fn score(kind: Burn, share: f64) -> Burned {
    let (mut errors, mut covered, mut not_seen) = (Vec::new(), 0, 0);
    for volume in burns(kind) {
        let full = volume.full().expect("it burns down");
        let asked = volume.onset + ((full - volume.onset) as f64 * share) as usize;
        let (answer, now) = ask(&volume, &usual(&volume, asked), asked);
        let remaining = (full - asked) as f64 * 60.0;
        let seconds = |date: Timestamp| date.duration_since(now).as_secs_f64();
        let Some(mid) = answer.mid else {
            not_seen += 1;
            errors.push(1.0);
            continue;
        };
        errors.push((seconds(mid) - remaining).abs() / remaining);
        // A look is a minute: whoever asks for less asks for noise.
        let early = answer.low.is_none_or(|low| seconds(low) > remaining + 60.0);
        let late = answer
            .high
            .is_some_and(|high| seconds(high) < remaining - 60.0);
        covered += usize::from(!early && !late);
    }
    Burned::of(format!("{kind:?}"), errors, covered, not_seen)
}

impl Burned {
    fn of(name: String, errors: Vec<f64>, covered: usize, not_seen: usize) -> Self {
        let mut sorted = errors.clone();
        sorted.sort_by(f64::total_cmp);
        let burns = errors.len();
        let median_error = f64::midpoint(sorted[(burns - 1) / 2], sorted[burns / 2]);
        let cover = covered as f64 / (burns - not_seen) as f64;
        Self {
            name,
            burns,
            median_error,
            cover,
            not_seen,
            errors,
            covered,
        }
    }
}

/// Each kind of ordinary day.
pub(crate) fn score_days() -> Vec<Ordinarily> {
    ORDINARY.iter().map(|kind| ordinarily(*kind)).collect()
}

fn ordinarily(kind: Ordinary) -> Ordinarily {
    let days = days(kind);
    let alarms = days.iter().filter(|volume| {
        let mut in_a_row = 0;
        let usual = usual(volume, volume.onset);
        (volume.onset..volume.looks.len()).step_by(EVERY).any(|at| {
            let (answer, now) = ask(volume, &usual, at);
            let alarms = answer
                .mid
                .is_some_and(|mid| mid.duration_since(now).as_hours() < 24);
            in_a_row = if alarms { in_a_row + 1 } else { 0 };
            in_a_row == 2
        })
    });
    Ordinarily {
        name: format!("{kind:?}"),
        days: days.len(),
        false_alarms: alarms.count(),
    }
}

fn ask(volume: &Volume, usual: &Usual, at: usize) -> (Full, Timestamp) {
    let look = volume.looks[at];
    let available = volume.capacity - look.bytes;
    let pace = pace(
        &volume.looks[at.saturating_sub(1440)..=at],
        usual,
        available,
        look.at,
    )
    .expect("enough looks");
    (pace.full(available, look.at), look.at)
}

/// What was usual at a look: of the week that ends where the longest window begins.
fn usual(volume: &Volume, at: usize) -> Usual {
    let mut usual = Usual::default();
    let (begin, end) = Usual::stretch(volume.looks[at].at);
    for (i, look) in volume.looks[..at].iter().enumerate().step_by(STRIDE) {
        if look.at >= begin && look.at < end {
            let slopes = slopes(&volume.looks[i.saturating_sub(1440)..=i], look.at);
            for _ in 0..STRIDE {
                usual.count(&slopes);
            }
        }
    }
    usual
}
