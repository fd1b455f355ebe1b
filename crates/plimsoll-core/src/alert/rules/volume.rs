//! `volume_full`: a volume's used share, of bytes or of inodes, as `df` has it: used / (used + available). Root's
//! reserve is neither. No excuse counts: 95 % is told, whatever filled it.

use serde::{Deserialize, Serialize};

use crate::alert::kind::Severity;
use crate::alert::reading::{Reading, Unit, Verdict, is_at_least};

/// Borders in per mille of the used share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeFull {
    /// From here on a warning.
    pub warning_per_mille: u32,
    /// From here on critical.
    pub critical_per_mille: u32,
    /// So far below the warning it closes.
    pub closes_below_per_mille: u32,
}

impl Default for VolumeFull {
    fn default() -> Self {
        Self {
            warning_per_mille: 850,
            critical_per_mille: 950,
            closes_below_per_mille: 30,
        }
    }
}

/// How full a volume is. None is unknown: a file system that counts no inodes has none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fullness {
    /// Bytes in use.
    pub used_bytes: Option<u64>,
    /// Bytes that an ordinary process may still use.
    pub available_bytes: Option<u64>,
    /// Inodes in all.
    pub inodes_total: Option<u64>,
    /// Inodes that are left.
    pub inodes_available: Option<u64>,
}

impl VolumeFull {
    /// Reads how full a volume is: the fuller of bytes and inodes.
    pub fn read(&self, fullness: Fullness) -> Reading {
        let bytes = fullness.used_bytes.zip(fullness.available_bytes);
        let inodes = fullness
            .inodes_total
            .zip(fullness.inodes_available)
            .filter(|(total, _)| *total > 0)
            .map(|(total, left)| (total.saturating_sub(left), left));
        let shares = [bytes, inodes].map(|share| {
            share
                .map(|(used, left)| (i128::from(used), i128::from(used) + i128::from(left)))
                .filter(|(_, whole)| *whole > 0)
        });
        let Some((used, whole)) = fullest(shares) else {
            return Reading::unknown(Unit::Percent, "how full the volume is is not known");
        };
        let unit = if shares[0] == Some((used, whole)) {
            Unit::Percent
        } else {
            Unit::PercentOfInodes
        };
        // Inodes alone cannot say that there is room for bytes.
        let verdict = self.judge(used, whole);
        if verdict == Verdict::Clear && bytes.is_none() {
            return Reading::unknown(Unit::Percent, "how many bytes are used is not known");
        }
        let threshold = match verdict {
            Verdict::Holds(Severity::Critical) => self.critical_per_mille,
            _ => self.warning_per_mille,
        };
        let percent = used as f64 / whole as f64 * 100.0;
        Reading::new(verdict, percent, f64::from(threshold) / 10.0, unit)
            .with_bytes(fullness.used_bytes, None)
    }

    fn judge(&self, used: i128, whole: i128) -> Verdict {
        let closes = self
            .warning_per_mille
            .saturating_sub(self.closes_below_per_mille);
        if is_at_least(used, whole, self.critical_per_mille) {
            Verdict::Holds(Severity::Critical)
        } else if is_at_least(used, whole, self.warning_per_mille) {
            Verdict::Holds(Severity::Warning)
        } else if is_at_least(used, whole, closes) {
            Verdict::Between
        } else {
            Verdict::Clear
        }
    }
}

/// The larger share of those that are known.
fn fullest(shares: [Option<(i128, i128)>; 2]) -> Option<(i128, i128)> {
    shares
        .into_iter()
        .flatten()
        .max_by(|a, b| (a.0 * b.1).cmp(&(b.0 * a.1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::rules::cases::letter;

    #[test]
    fn borders_and_one_unit_beside_them() {
        // used and available in bytes, inodes in all and left: what it says
        let cases = [
            (850, 150, None, 'w'),
            (849, 151, None, '-'),
            (820, 180, None, '-'),
            (819, 181, None, '.'),
            (950, 50, None, 'c'),
            (949, 51, None, 'w'),
            (0, 100, None, '.'),
            (100, 0, None, 'c'),
            // Inodes count as much as bytes; a file system without any counts none.
            (10, 990, Some((1000, 50)), 'c'),
            (10, 990, Some((1000, 150)), 'w'),
            (10, 990, Some((0, 0)), '.'),
            (u64::MAX, 0, None, 'c'),
            (u64::MAX / 2, u64::MAX / 2, None, '.'),
        ];
        for (used, available, inodes, expected) in cases {
            let reading = VolumeFull::default().read(Fullness {
                used_bytes: Some(used),
                available_bytes: Some(available),
                inodes_total: inodes.map(|(total, _)| total),
                inodes_available: inodes.map(|(_, left)| left),
            });
            assert_eq!(letter(&reading), expected, "{used} {available} {inodes:?}");
            let of_inodes = inodes.is_some_and(|(total, _)| total > 0);
            let unit = if of_inodes {
                Unit::PercentOfInodes
            } else {
                Unit::Percent
            };
            assert_eq!(reading.unit, unit, "{used} {available} {inodes:?}");
        }
    }

    #[test]
    fn what_is_not_known_is_not_judged() {
        let rule = VolumeFull::default();
        assert_eq!(letter(&rule.read(Fullness::default())), '?');
        assert_eq!(
            letter(&rule.read(Fullness {
                used_bytes: Some(0),
                available_bytes: Some(0),
                ..Fullness::default()
            })),
            '?'
        );
        let inodes = |left| Fullness {
            inodes_total: Some(100),
            inodes_available: Some(left),
            ..Fullness::default()
        };
        assert_eq!(letter(&rule.read(inodes(90))), '?', "bytes are not known");
        assert_eq!(letter(&rule.read(inodes(2))), 'c', "full of inodes is full");
    }
}
