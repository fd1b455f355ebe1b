//! Bytes of no relation: `orphaned_files` lie there and go no more, `unattributed_growth` become more and more.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::alert::kind::Severity;
use crate::alert::reading::{Reading, Unit, Verdict};

/// Settings of `orphaned_files`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrphanedFiles {
    /// From so many bytes on.
    pub bytes: u64,
}

impl Default for OrphanedFiles {
    fn default() -> Self {
        Self { bytes: 1 << 30 }
    }
}

/// Files that no relation owns, by path, with their bytes.
pub type Files = BTreeMap<String, u64>;

impl OrphanedFiles {
    /// Reads the orphans of a daily sample, beside those of the daily sample before (none where that did not look).
    /// Of the others nothing is to be kept.
    pub fn read(&self, now: Option<&Files>, before: Option<&Files>) -> Reading {
        let (Some(now), Some(before)) = (now, before) else {
            return Reading::unknown(Unit::Bytes, "files were not looked at in two daily samples");
        };
        let same: u64 = now
            .iter()
            .filter(|(path, _)| before.contains_key(*path))
            .fold(0, |sum, (_, bytes)| sum.saturating_add(*bytes));
        let verdict = if same >= self.bytes {
            Verdict::Holds(Severity::Warning)
        } else if same > 0 {
            Verdict::Between
        } else {
            Verdict::Clear
        };
        Reading::new(verdict, same as f64, self.bytes as f64, Unit::Bytes)
            .with_bytes(Some(same), None)
    }
}

/// Settings of `unattributed_growth`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnattributedGrowth {
    /// More than so many bytes,
    pub bytes: u64,
    /// and more than the time before so many times in a row.
    pub times: u32,
}

impl Default for UnattributedGrowth {
    fn default() -> Self {
        Self {
            bytes: 5 * (1 << 30),
            times: 4,
        }
    }
}

/// What it remembers of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Memory {
    last: Option<u64>,
    /// How often in a row it was larger than the time before.
    rises: u32,
    /// The largest since it opened.
    highest: u64,
}

impl UnattributedGrowth {
    /// Reads a sample's bytes of no relation; none where they are not known.
    pub fn read(&self, bytes: Option<u64>, mut memory: Memory) -> (Reading, Memory) {
        let Some(bytes) = bytes else {
            let why = "how many bytes belong to no relation is not known";
            return (Reading::unknown(Unit::Bytes, why), memory);
        };
        match memory.last {
            Some(last) if bytes > last => memory.rises = memory.rises.saturating_add(1),
            _ => memory.rises = 0,
        }
        memory.last = Some(bytes);
        let verdict = if bytes > self.bytes && memory.rises >= self.times {
            memory.highest = memory.highest.max(bytes);
            Verdict::Holds(Severity::Warning)
        } else if bytes <= memory.highest / 2 || memory.highest == 0 {
            memory.highest = 0;
            Verdict::Clear
        } else {
            memory.highest = memory.highest.max(bytes);
            Verdict::Between
        };
        let reading = Reading::new(verdict, bytes as f64, self.bytes as f64, Unit::Bytes)
            .with_bytes(Some(bytes), None);
        (reading, memory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::rules::cases::letter;

    const GB: u64 = 1 << 30;

    #[test]
    fn only_files_that_were_there_a_day_before_are_orphans() {
        let files = |list: &[(&str, u64)]| -> Files {
            list.iter()
                .map(|(path, bytes)| ((*path).to_owned(), *bytes))
                .collect()
        };
        let old = files(&[("base/5/100", GB), ("base/5/101", 5)]);
        let cases = [
            (files(&[("base/5/100", GB)]), 'w'),
            (files(&[("base/5/100", GB - 1)]), '-'),
            (files(&[("base/5/100", GB - 5), ("base/5/101", 5)]), 'w'),
            (files(&[("base/5/900", 9 * GB)]), '.'),
            (files(&[]), '.'),
        ];
        let rule = OrphanedFiles::default();
        for (now, expected) in cases {
            assert_eq!(
                letter(&rule.read(Some(&now), Some(&old))),
                expected,
                "{now:?}"
            );
        }
        assert_eq!(letter(&rule.read(None, Some(&old))), '?');
        assert_eq!(letter(&rule.read(Some(&old), None)), '?', "a first sample");
    }

    #[test]
    fn bytes_of_no_relation_must_be_many_and_rise_four_times_in_a_row() {
        let rule = UnattributedGrowth::default();
        let play = |values: &[Option<u64>]| {
            let mut memory = Memory::default();
            let mut letters = String::new();
            for value in values {
                let reading;
                (reading, memory) = rule.read(value.map(|value| value * GB), memory);
                letters.push(letter(&reading));
            }
            letters
        };
        let some = |values: &[u64]| values.iter().copied().map(Some).collect::<Vec<_>>();
        assert_eq!(play(&some(&[2, 3, 4, 5, 6, 7])), "....ww");
        // A rewrite's second copy comes and goes.
        assert_eq!(play(&some(&[1, 20, 1, 20, 1])), ".....");
        // Open until it is half of the most that it was.
        assert_eq!(play(&some(&[2, 3, 4, 5, 8, 8, 5, 4, 4])), "....w--..");
        assert_eq!(
            play(&some(&[1, 2, 3, 4, 5])),
            ".....",
            "5 GB are not more than 5 GB"
        );
        assert_eq!(
            play(&[Some(2), Some(3), None, Some(4), Some(5), Some(6)]),
            "..?..w"
        );
    }
}
