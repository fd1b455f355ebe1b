//! Made-up volumes by the minute: 200 that fill up and 200 ordinary days, the same on every run.

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::forecast::Point;

use crate::dice::Dice;

/// What a volume was doing before, and goes on doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ordinary {
    /// A few MB a minute come and go.
    Quiet,
    /// Some hundred MB come and go.
    Noise,
    /// 10 to 60 GB at three in the morning, moved away hours later.
    Dump,
    /// 2 to 8 GB of WAL between two checkpoints.
    SawTooth,
    /// Temporary files of 2 to 25 GB, eight times a day at any time.
    Sorts,
}

/// How a volume fills up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Burn {
    /// By as much each minute.
    Constant,
    /// By a power of time, 1.4 to 2.2.
    Accelerating,
    /// In 10 to 40 bursts of uneven size with pauses between.
    Bursty,
    /// By as much each minute, beside 2 to 8 GB between two checkpoints.
    SawTooth,
    /// By as much each minute, beside rewrites of tables of 2 to 20 GB.
    Rewrites,
}

pub(crate) const ORDINARY: [Ordinary; 5] = [
    Ordinary::Quiet,
    Ordinary::Noise,
    Ordinary::Dump,
    Ordinary::SawTooth,
    Ordinary::Sorts,
];
pub(crate) const BURNS: [Burn; 5] = [
    Burn::Constant,
    Burn::Accelerating,
    Burn::Bursty,
    Burn::SawTooth,
    Burn::Rewrites,
];
/// How many of each kind.
pub(crate) const EACH: usize = 40;

const GB: f64 = 1e9;
const MINUTES_BEFORE: usize = 8 * 1440;

/// One made-up volume.
pub(crate) struct Volume {
    /// Used bytes, minute by minute.
    pub(crate) looks: Vec<Point>,
    pub(crate) capacity: u64,
    /// The look at which the burn, or the ordinary day, begins.
    pub(crate) onset: usize,
}

impl Volume {
    /// The first look at which it is full.
    pub(crate) fn full(&self) -> Option<usize> {
        self.looks[self.onset..]
            .iter()
            .position(|look| look.bytes >= self.capacity)
            .map(|at| at + self.onset)
    }
}

/// The burns of one kind. Free at the onset 30 to 200 GB; full after 40 minutes to 36 hours, drawn evenly in the
/// logarithm; behind eight ordinary days that go on beside it.
pub(crate) fn burns(kind: Burn) -> Vec<Volume> {
    (0..EACH)
        .map(|i| {
            burn(
                kind,
                ORDINARY[i % ORDINARY.len()],
                1000 * (kind as u64 + 1) + i as u64,
            )
        })
        .collect()
}

/// Ordinary days of one kind, each behind eight of its like, with 30 to 200 GB free.
pub(crate) fn days(kind: Ordinary) -> Vec<Volume> {
    (0..EACH)
        .map(|i| {
            let mut dice = Dice::new(90_000 + 1000 * (kind as u64) + i as u64);
            let free = dice.between(30.0, 200.0) * GB;
            let bytes = ordinary(kind, MINUTES_BEFORE + 1440, free, &mut dice);
            volume(&bytes, MINUTES_BEFORE, free)
        })
        .collect()
}

fn burn(kind: Burn, before: Ordinary, seed: u64) -> Volume {
    let mut dice = Dice::new(seed);
    let free = dice.between(30.0, 200.0) * GB;
    let minutes = dice.between(40_f64.ln(), (36.0 * 60.0_f64).ln()).exp();
    // At any time of the day.
    let onset = MINUTES_BEFORE + dice.below(1440);
    let length = onset + 2 * minutes as usize + 2;
    let mut bytes = ordinary(before, length, free, &mut dice);
    let power = dice.between(1.4, 2.2);
    let bursts = bursts(&mut dice);
    let beside = match kind {
        Burn::SawTooth => saw_tooth(length, &mut dice),
        Burn::Rewrites => rewrites(length, onset, minutes, free, &mut dice),
        _ => vec![0.0; length],
    };
    for at in onset..length {
        let share = (at - onset) as f64 / minutes;
        let burned = match kind {
            Burn::Accelerating => share.powf(power),
            Burn::Bursty => burst_share(&bursts, share),
            _ => share,
        };
        bytes[at] += free * burned + beside[at] - beside[onset];
    }
    volume(&bytes, onset, free)
}

fn volume(bytes: &[f64], onset: usize, free: f64) -> Volume {
    let begin = Timestamp::from_second(1_700_000_000 - 1_700_000_000 % 86_400).expect("in range");
    let used = 200.0 * GB;
    let capacity = used + bytes[onset] + free;
    let looks = bytes
        .iter()
        .enumerate()
        .map(|(minute, bytes)| Point {
            at: begin + SignedDuration::from_mins(minute as i64),
            bytes: (used + bytes).min(capacity) as u64,
        })
        .collect();
    Volume {
        looks,
        capacity: capacity as u64,
        onset,
    }
}

fn ordinary(kind: Ordinary, length: usize, free: f64, dice: &mut Dice) -> Vec<f64> {
    let mut bytes = match kind {
        Ordinary::Quiet | Ordinary::Noise => vec![0.0; length],
        Ordinary::Dump => dump(length, free, dice),
        Ordinary::SawTooth => saw_tooth(length, dice),
        Ordinary::Sorts => sorts(length, free, dice),
    };
    let noise = if kind == Ordinary::Noise {
        dice.between(0.1, 0.5) * GB
    } else {
        0.005 * GB
    };
    let growth = dice.between(0.0, 2.0) * GB / 1440.0;
    let mut level = 0.0;
    for (minute, bytes) in bytes.iter_mut().enumerate() {
        level = 0.9 * level + 0.44 * noise * dice.normal();
        *bytes += level + growth * minute as f64;
    }
    bytes
}

/// Written in 20 to 90 minutes, there for one to six hours.
fn dump(length: usize, free: f64, dice: &mut Dice) -> Vec<f64> {
    let size = dice.between(10.0 * GB, (60.0 * GB).min(0.8 * free));
    let (writing, staying) = (dice.between(20.0, 90.0), dice.between(60.0, 360.0));
    let begin = 180.0 + dice.between(-30.0, 30.0);
    let mut bytes = vec![0.0; length];
    for day in 0..=length / 1440 {
        let (size, begin) = (
            size * dice.between(0.95, 1.05),
            begin + dice.between(-5.0, 5.0) + 1440.0 * day as f64,
        );
        for (minute, bytes) in bytes.iter_mut().enumerate().skip(1440 * day).take(1440) {
            let since = minute as f64 - begin;
            if (0.0..writing + staying).contains(&since) {
                *bytes = size * (since / writing).min(1.0);
            }
        }
    }
    bytes
}

fn saw_tooth(length: usize, dice: &mut Dice) -> Vec<f64> {
    let (size, period) = (dice.between(2.0, 8.0) * GB, dice.between(5.0, 45.0));
    let mut bytes = Vec::with_capacity(length);
    let mut since = 0.0;
    let mut this = period;
    for _ in 0..length {
        bytes.push(size * since / period);
        since += 1.0;
        if since >= this {
            since = 0.0;
            this = period * dice.between(0.85, 1.15);
        }
    }
    bytes
}

/// As fast as this machine's disk writes them; gone when the statement ends.
fn sorts(length: usize, free: f64, dice: &mut Dice) -> Vec<f64> {
    let mut bytes = vec![0.0; length];
    let rate = dice.between(0.3, 2.0) * GB;
    for _ in 0..8 * length / 1440 {
        let begin = dice.below(length);
        let size = dice.between(2.0 * GB, (25.0 * GB).min(0.4 * free));
        let minutes = (size / rate) as usize + 1;
        for (minute, bytes) in bytes.iter_mut().skip(begin).take(minutes).enumerate() {
            *bytes += rate * minute as f64;
        }
    }
    bytes
}

/// A new copy grows beside the old one, which then goes.
fn rewrites(length: usize, onset: usize, minutes: f64, free: f64, dice: &mut Dice) -> Vec<f64> {
    let mut bytes = vec![0.0; length];
    let mut begin = onset as f64 + dice.between(0.05, 0.2) * minutes;
    while begin < length as f64 {
        let takes = dice.between(0.02, 0.1) * minutes;
        let size = dice.between(2.0 * GB, (20.0 * GB).min(0.15 * free));
        for (minute, bytes) in bytes.iter_mut().enumerate() {
            let since = minute as f64 - begin;
            if (0.0..takes).contains(&since) {
                *bytes = size * since / takes;
            }
        }
        begin += takes + dice.between(0.05, 0.3) * minutes;
    }
    bytes
}

/// Bursts as (begin, end, bytes at the end), as shares of the burn.
fn bursts(dice: &mut Dice) -> Vec<(f64, f64, f64)> {
    let count = 10 + dice.below(31);
    let mut time = 0.0;
    let mut bytes = 0.0;
    let mut bursts = Vec::new();
    for _ in 0..2 * count {
        let (begin, lasts) = (time + dice.between(0.2, 1.2), dice.between(0.1, 0.6));
        bytes += dice.between(0.3, 1.7);
        bursts.push((begin, begin + lasts, bytes));
        time = begin + lasts;
    }
    // After `count` of them the volume is full.
    let (_, end, full) = bursts[count - 1];
    bursts
        .iter()
        .map(|(begin, stop, bytes)| (begin / end, stop / end, bytes / full))
        .collect()
}

fn burst_share(bursts: &[(f64, f64, f64)], share: f64) -> f64 {
    let mut before = 0.0;
    for (begin, end, bytes) in bursts {
        if share < *begin {
            return before;
        }
        if share < *end {
            return before + (bytes - before) * (share - begin) / (end - begin);
        }
        before = *bytes;
    }
    before
}
