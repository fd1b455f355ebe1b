//! How WAL goes on: up to its level by itself, and beyond it while something holds it.

use crate::forecast::coherent::Estimate;

/// The share of what is to come that a rate may be wrong by, either way.
const RATE_SPREAD: f64 = 0.3;

/// `pg_wal` now, and what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WalLevel {
    /// Bytes now.
    pub bytes: f64,
    /// `max_wal_size`: up to here it grows by itself; none where that is not known.
    pub level: Option<f64>,
    /// The highest of the last hours.
    pub highest: f64,
    /// What holds more than the level, if something does.
    pub held: Option<Held>,
}

/// What holds WAL.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Held {
    /// At this rate it grows meanwhile.
    pub bytes_per_hour: f64,
    /// The hours until a limit ends that; none where none does.
    pub ends_in_hours: Option<f64>,
}

impl WalLevel {
    pub(super) fn growth(&self, hours: f64) -> Estimate {
        let usual = self.usual();
        let Some(held) = self.held else {
            let most = self
                .level
                .map_or(usual, |level| (level - self.bytes).max(0.0));
            return Estimate::from_half80(usual, (most - usual).max(0.0));
        };
        match held.ends_in_hours {
            // The checkpoint after gives back what was held beyond the level; of a level that is not known, nothing.
            Some(end) if hours > end => {
                let beyond = self.level.map_or(0.0, |level| level - self.bytes);
                Estimate::from_half80(beyond.min(usual), 0.0)
            }
            _ => {
                let grown = held.bytes_per_hour.max(0.0) * hours;
                Estimate::from_half80(grown, RATE_SPREAD * grown)
            }
        }
    }

    /// To where it has been in the last hours, at most to its level.
    fn usual(&self) -> f64 {
        let highest = self
            .level
            .map_or(self.highest, |level| self.highest.min(level));
        (highest - self.bytes).max(0.0)
    }
}
