//! Made-up series of days, labelled: the kinds of `bench/growth/synth.py` in short, the same on every run.

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::forecast::{KnownChange, Point};

use crate::days::Series;
use crate::dice::Dice;

/// What a series does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Linear,
    Noisy,
    Weekly,
    Plateau,
    /// Five weeks are kept, and the oldest is dropped each week.
    SawTooth,
    MonthlyLoad,
    VacuumFull,
    Truncate,
    BulkLoad,
    SlopeTimesThree,
    /// Five days at more than ten times the rate.
    Burst,
}

pub(crate) const ALL: [Kind; 11] = [
    Kind::Linear,
    Kind::Noisy,
    Kind::Weekly,
    Kind::Plateau,
    Kind::SawTooth,
    Kind::MonthlyLoad,
    Kind::VacuumFull,
    Kind::Truncate,
    Kind::BulkLoad,
    Kind::SlopeTimesThree,
    Kind::Burst,
];

const GB: f64 = 1e9;
const DAYS: usize = 320;

/// One series; where something happens it does so after 180 to 260 days.
pub(crate) fn series(kind: Kind, seed: u64) -> Series {
    let mut dice = Dice::new(8_000_000 + 1000 * (kind as u64) + seed);
    let onset = 180 + dice.below(80);
    let rate = dice.between(0.3, 1.2) * GB;
    let spread: f64 = if kind == Kind::Noisy { 1.2 } else { 0.3 };
    let gained: Vec<f64> = (0..DAYS)
        .map(|_| rate * (spread * dice.normal() - spread * spread / 2.0).exp())
        .collect();
    let gained = gained.iter().enumerate().map(|(day, &gained)| match kind {
        Kind::Weekly if day % 7 >= 5 => 0.15 * gained,
        Kind::MonthlyLoad if day % 30 == 0 => gained + 30.0 * rate,
        Kind::Plateau if day >= onset => 0.01 * gained,
        Kind::SlopeTimesThree if day >= onset => 3.0 * gained,
        Kind::Burst if (onset..onset + 5).contains(&day) => 14.0 * gained,
        _ => gained,
    });
    let gained: Vec<f64> = gained.collect();
    let mut bytes = dice.between(50.0, 150.0) * GB;
    let share = dice.between(0.3, 0.5);
    let mut delta = None;
    let sizes = (0..DAYS).map(|day| {
        bytes += gained[day];
        if kind == Kind::SawTooth && day % 7 == 0 {
            let dropped = day.saturating_sub(42)..day.saturating_sub(35);
            bytes -= gained[dropped].iter().sum::<f64>();
        }
        let step = match kind {
            Kind::VacuumFull => -share * bytes,
            Kind::Truncate => 0.064 * GB - bytes,
            Kind::BulkLoad => share * bytes,
            _ => 0.0,
        };
        if day == onset {
            bytes += step;
            delta = Some(step).filter(|step| *step < 0.0);
        }
        bytes
    });
    let sizes: Vec<f64> = sizes.collect();
    let begin = Timestamp::from_second(1_700_000_000 - 1_700_000_000 % 86_400).expect("in range");
    let at = |day: usize| begin + SignedDuration::from_hours(24 * day as i64);
    let tells = matches!(kind, Kind::BulkLoad | Kind::SlopeTimesThree | Kind::Burst);
    // Reached 8 to 40 days before the end, or never.
    let until = DAYS - 8 - dice.below(32);
    let largest = |sizes: &[f64]| sizes.iter().copied().fold(0.0, f64::max);
    let limit = match kind {
        Kind::Plateau | Kind::SawTooth => 1.25 * largest(&sizes),
        _ => largest(&sizes[..until]) + 1.0,
    };
    Series {
        points: sizes
            .iter()
            .enumerate()
            .map(|(day, &bytes)| Point {
                at: at(day),
                bytes: bytes as u64,
            })
            .collect(),
        limit_bytes: Some(limit as u64),
        onsets: tells.then(|| at(onset)).into_iter().collect(),
        known: delta
            .map(|delta| KnownChange {
                at: at(onset) - SignedDuration::from_hours(1),
                delta_bytes: Some(delta as i64),
            })
            .into_iter()
            .collect(),
        is_scored_for_growth: true,
    }
}
