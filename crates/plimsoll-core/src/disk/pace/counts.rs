//! How often each class was counted, and how that is written down: as a text a third as long as its pairs would be.
//!
//! `0x4 146 3x4`: four of class 0, one of class 146, and four of the class that is 3 higher.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// Classes with how often they were counted, sorted by class.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub(super) struct Counts(Vec<(u16, u32)>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    /// As they were written before.
    Pairs(Vec<(u16, u32)>),
}

impl Counts {
    pub(super) fn add(&mut self, class: u16, times: u32) {
        match self.0.binary_search_by_key(&class, |(class, _)| *class) {
            Ok(at) => self.0[at].1 = self.0[at].1.saturating_add(times),
            Err(at) => self.0.insert(at, (class, times)),
        }
    }

    /// Classes with their counts, in the order of classes.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u16, u32)> + '_ {
        self.0.iter().copied()
    }
}

impl From<Counts> for Written {
    fn from(counts: Counts) -> Self {
        let mut text = String::new();
        let mut before = 0;
        for (class, times) in counts.iter() {
            let space = if text.is_empty() { "" } else { " " };
            let _ = write!(text, "{space}{}", class.saturating_sub(before));
            if times != 1 {
                let _ = write!(text, "x{times}");
            }
            before = class;
        }
        Self::Text(text)
    }
}

impl TryFrom<Written> for Counts {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Pairs(pairs) => Ok(Self(pairs)),
            Written::Text(text) => read(&text).ok_or_else(|| format!("no counts: {text:?}")),
        }
    }
}

fn read(text: &str) -> Option<Counts> {
    let mut class: u16 = 0;
    let counts = text.split_whitespace().map(|count| {
        let (further, times) = count.split_once('x').unwrap_or((count, "1"));
        class = class.checked_add(further.parse().ok()?)?;
        Some((class, times.parse().ok()?))
    });
    counts.collect::<Option<_>>().map(Counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_as_they_were_written_and_as_pairs() {
        let pairs = vec![(0, 4), (146, 1), (149, 4), (u16::MAX, u32::MAX)];
        let counts = Counts(pairs.clone());
        let written = serde_json::to_string(&counts).unwrap();
        assert_eq!(written, r#""0x4 146 3x4 65386x4294967295""#);
        assert_eq!(serde_json::from_str::<Counts>(&written).unwrap(), counts);
        let pairs = serde_json::to_string(&pairs).unwrap();
        assert_eq!(serde_json::from_str::<Counts>(&pairs).unwrap(), counts);
        assert_eq!(
            serde_json::from_str::<Counts>(r#""""#).unwrap(),
            Counts::default()
        );
    }

    #[test]
    fn what_is_no_count_is_an_error() {
        for text in ["x", "1x", "-1", "1x-1", "1,2", "65535 1", "1x4294967296"] {
            let written = serde_json::to_string(text).unwrap();
            assert!(serde_json::from_str::<Counts>(&written).is_err(), "{text}");
        }
    }
}
