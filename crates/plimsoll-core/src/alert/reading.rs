//! What a rule says of one subject at one moment.

use serde::{Deserialize, Serialize};

use super::kind::Severity;

/// The unit of a value and its threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Per cent.
    Percent,
    /// Per cent of a file system's inodes.
    PercentOfInodes,
    /// Seconds.
    Seconds,
    /// Bytes a day.
    BytesPerDay,
}

impl Unit {
    /// Every unit.
    pub const ALL: [Self; 5] = [
        Self::Bytes,
        Self::Percent,
        Self::PercentOfInodes,
        Self::Seconds,
        Self::BytesPerDay,
    ];

    /// The name that answers and messages carry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Percent => "percent",
            Self::PercentOfInodes => "percent_of_inodes",
            Self::Seconds => "seconds",
            Self::BytesPerDay => "bytes_per_day",
        }
    }
}

/// Whether the condition holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It cannot be judged now, and why: the state stays as it is.
    Unknown(String),
    /// The condition that closes an alert is met.
    Clear,
    /// Neither: nothing opens, and what is open stays.
    Between,
    /// The condition that opens one is met.
    Holds(Severity),
}

/// A verdict with the numbers that it is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Whether the condition holds.
    pub verdict: Verdict,
    /// What was compared; none where it is not known.
    pub value: Option<f64>,
    /// With what: the border of the severity that it holds at, else of the lowest.
    pub threshold: Option<f64>,
    /// In what.
    pub unit: Unit,
    /// Bytes now, where the rule is about bytes.
    pub current_bytes: Option<u64>,
    /// Bytes before, where the rule compares two moments.
    pub previous_bytes: Option<u64>,
    /// What the numbers alone do not say of the verdict, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Reading {
    /// One that knows nothing, and why.
    pub fn unknown(unit: Unit, why: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Unknown(why.into()),
            value: None,
            threshold: None,
            unit,
            current_bytes: None,
            previous_bytes: None,
            note: None,
        }
    }

    /// One with its numbers; the value may not be known.
    pub fn new(
        verdict: Verdict,
        value: impl Into<Option<f64>>,
        threshold: f64,
        unit: Unit,
    ) -> Self {
        Self {
            verdict,
            value: value.into(),
            threshold: Some(threshold),
            unit,
            current_bytes: None,
            previous_bytes: None,
            note: None,
        }
    }

    /// The same with bytes now and before.
    #[must_use]
    pub const fn with_bytes(mut self, current: Option<u64>, previous: Option<u64>) -> Self {
        self.current_bytes = current;
        self.previous_bytes = previous;
        self
    }

    /// The same with what the numbers alone do not say.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<Option<&'static str>>) -> Self {
        self.note = note.into().map(str::to_owned);
        self
    }

    /// Growth in per cent; none where there was nothing or it is not known.
    pub fn growth_percent(&self) -> Option<f64> {
        let (current, previous) = (self.current_bytes?, self.previous_bytes?);
        (previous > 0).then(|| (current as f64 - previous as f64) / previous as f64 * 100.0)
    }
}

/// A border in tenths of a per cent, compared without rounding: `part` is above it if `part * 1000 > whole * border`.
pub fn is_above(part: i128, whole: i128, per_mille: u32) -> bool {
    part * 1000 > whole * i128::from(per_mille)
}

/// Whether `part` is at or above the border.
pub fn is_at_least(part: i128, whole: i128, per_mille: u32) -> bool {
    part * 1000 >= whole * i128::from(per_mille)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_are_compared_as_integers_to_the_end_of_their_range() {
        assert!(!is_above(20, 100, 200) && is_at_least(20, 100, 200));
        assert!(is_above(201, 1000, 200));
        let huge = i128::from(u64::MAX);
        assert!(!is_above(huge, huge, 1000) && is_above(huge + 1, huge, 1000));
    }

    #[test]
    fn growth_from_nothing_or_from_the_unknown_has_no_percentage() {
        let reading = Reading::new(Verdict::Clear, 0.0, 0.0, Unit::Bytes);
        assert_eq!(
            reading
                .clone()
                .with_bytes(Some(5), Some(0))
                .growth_percent(),
            None
        );
        assert_eq!(
            reading.clone().with_bytes(Some(5), None).growth_percent(),
            None
        );
        assert_eq!(
            reading.with_bytes(Some(150), Some(100)).growth_percent(),
            Some(50.0)
        );
    }
}
