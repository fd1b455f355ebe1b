//! `size_critical`: a database is above its limit. Where none is configured for it, 50 GB, and that only where no
//! capacity is known: a limit that nobody set says nothing beside a disk that somebody did. No excuse counts.

use serde::{Deserialize, Serialize};

use crate::alert::kind::Severity;
use crate::alert::reading::{Reading, Unit, Verdict, is_at_least};

/// Its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SizeCritical {
    /// The limit where neither one is configured for the database nor a capacity is known.
    pub default_bytes: u64,
    /// Below this share of the limit it closes.
    pub closes_below_per_mille: u32,
}

impl Default for SizeCritical {
    fn default() -> Self {
        Self {
            default_bytes: 50 * (1 << 30),
            closes_below_per_mille: 950,
        }
    }
}

/// A database's size, as one sample saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SizeNow {
    /// Its total; none where that is not known.
    pub total_bytes: Option<u64>,
    /// Bytes of it that were not measured or only estimated.
    pub uncertain_bytes: u64,
    /// The limit that is configured for it.
    pub limit_bytes: Option<u64>,
    /// Whether the capacity of what it lies on is known.
    pub has_capacity: bool,
}

impl SizeCritical {
    /// Reads a database's size; none where there is no limit to compare it with.
    pub fn read(&self, now: SizeNow) -> Option<Reading> {
        let limit = match now.limit_bytes {
            Some(limit) => limit,
            None if now.has_capacity => return None,
            None => self.default_bytes,
        };
        let Some(total) = now.total_bytes else {
            return Some(Reading::unknown(
                Unit::Bytes,
                "the database's total is not known",
            ));
        };
        // What is uncertain may move it across a border.
        if now.uncertain_bytes > 0 && now.uncertain_bytes > total.abs_diff(limit) {
            let why = "more bytes were not measured than lie between the total and the limit";
            return Some(Reading::unknown(Unit::Bytes, why));
        }
        let verdict = if total > limit {
            Verdict::Holds(Severity::Critical)
        } else if is_at_least(
            i128::from(total),
            i128::from(limit),
            self.closes_below_per_mille,
        ) {
            Verdict::Between
        } else {
            Verdict::Clear
        };
        let reading = Reading::new(verdict, total as f64, limit as f64, Unit::Bytes);
        Some(reading.with_bytes(Some(total), None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::rules::cases::letter;

    #[test]
    fn borders_and_one_byte_beside_them() {
        const GB50: u64 = 53_687_091_200;
        let cases = [
            (Some(GB50), 0, None, false, Some('-')),
            (Some(GB50 + 1), 0, None, false, Some('c')),
            (Some(GB50 / 100 * 95), 0, None, false, Some('-')),
            (Some(GB50 / 100 * 95 - 1), 0, None, false, Some('.')),
            (Some(0), 0, None, false, Some('.')),
            // Nobody set a limit, and the disk is known.
            (Some(GB50 * 2), 0, None, true, None),
            (Some(1001), 0, Some(1000), true, Some('c')),
            (Some(u64::MAX), 0, Some(i64::MAX as u64), true, Some('c')),
            (Some(0), 0, Some(0), true, Some('-')),
            (None, 0, Some(1000), false, Some('?')),
            // What was not measured might be what is missing to the border, or be beyond it.
            (Some(990), 11, Some(1000), false, Some('?')),
            (Some(1010), 11, Some(1000), false, Some('?')),
            (Some(1010), 10, Some(1000), false, Some('c')),
        ];
        for (total_bytes, uncertain_bytes, limit_bytes, has_capacity, expected) in cases {
            let now = SizeNow {
                total_bytes,
                uncertain_bytes,
                limit_bytes,
                has_capacity,
            };
            let reading = SizeCritical::default().read(now);
            assert_eq!(reading.as_ref().map(letter), expected, "{now:?}");
        }
    }
}
