//! Bytes of no relation: `orphaned_files` lie there and go no more, `unattributed_growth` become more and more.

use std::collections::{BTreeMap, BTreeSet};

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

/// A file that no relation owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File {
    /// Its bytes.
    pub bytes: u64,
    /// Whether it outlived every transaction that may have made it. Right after a start that is not known of any.
    pub is_orphaned: bool,
}

/// Files that no relation owns, by path.
pub type Files = BTreeMap<String, File>;

/// What `orphaned_files` remembers of a database.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KnownFiles {
    /// The files that no relation owned at the last daily sample; none before the first.
    daily: Option<BTreeSet<String>>,
    /// Those that were orphans in two daily samples.
    orphans: BTreeSet<String>,
}

impl OrphanedFiles {
    /// Reads a sample's files that no relation owns; none where the method does not see files. Only a daily sample makes
    /// orphans of files that were there the day before; each sample tells which of these are gone.
    pub fn read(
        &self,
        files: Option<&Files>,
        is_daily: bool,
        mut known: KnownFiles,
    ) -> (Reading, KnownFiles) {
        let Some(files) = files else {
            let why = "files are seen by the method files only";
            return (Reading::unknown(Unit::Bytes, why), known);
        };
        let is_first = known.daily.is_none();
        known.orphans.retain(|path| files.contains_key(path));
        if is_daily {
            let daily = known.daily.take().unwrap_or_default();
            let orphans = files.iter().filter(|(_, file)| file.is_orphaned);
            let stayed = orphans.filter(|(path, _)| daily.contains(*path));
            known.orphans.extend(stayed.map(|(path, _)| path.clone()));
            known.daily = Some(files.keys().cloned().collect());
        }
        if is_first {
            let why = "files were not looked at in two daily samples yet";
            return (Reading::unknown(Unit::Bytes, why), known);
        }
        let bytes = known
            .orphans
            .iter()
            .filter_map(|path| files.get(path))
            .fold(0_u64, |sum, file| sum.saturating_add(file.bytes));
        let verdict = if bytes >= self.bytes {
            Verdict::Holds(Severity::Warning)
        } else if bytes > 0 {
            Verdict::Between
        } else {
            Verdict::Clear
        };
        let reading = Reading::new(verdict, bytes as f64, self.bytes as f64, Unit::Bytes);
        (reading.with_bytes(Some(bytes), None), known)
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

    /// A sample's files by their number and bytes; those below 1,000 are known to be orphans.
    fn files(list: &[(u32, u64)]) -> Files {
        let file = |(number, bytes): &(u32, u64)| {
            let file = File {
                bytes: *bytes,
                is_orphaned: *number < 1000,
            };
            (format!("base/5/{}", number % 1000), file)
        };
        list.iter().map(file).collect()
    }

    /// What is said of samples, one after the other: `d` are daily, `?` sees no files.
    fn play(samples: &[(char, &[(u32, u64)])]) -> String {
        let rule = OrphanedFiles::default();
        let mut known = KnownFiles::default();
        let one = |(kind, list): &(char, &[(u32, u64)])| {
            let files = (*kind != '?').then(|| files(list));
            let reading;
            (reading, known) = rule.read(files.as_ref(), *kind == 'd', known.clone());
            letter(&reading)
        };
        samples.iter().map(one).collect()
    }

    #[test]
    fn only_files_that_were_there_a_day_before_are_orphans() {
        let old: &[(u32, u64)] = &[(100, GB), (101, 5)];
        for (now, expected) in [
            (&[(100, GB)][..], "?w"),
            (&[(100, GB - 1)], "?-"),
            (&[(100, GB - 5), (101, 5)], "?w"),
            (&[(900, 9 * GB)], "?."),
            (&[(100, u64::MAX), (101, u64::MAX)], "?w"),
            (&[], "?."),
            // A transaction that runs for a day may have made it.
            (&[(1100, 9 * GB)], "?."),
        ] {
            assert_eq!(play(&[('d', old), ('d', now)]), expected, "{now:?}");
        }
        // Between two days nothing becomes an orphan, however often it is seen.
        assert_eq!(
            play(&[('w', old), ('w', old), ('d', old), ('w', old)]),
            "???."
        );
    }

    #[test]
    fn orphans_are_gone_when_a_sample_does_not_see_them_and_not_by_a_restart() {
        let old: &[(u32, u64)] = &[(100, GB)];
        // After a start nobody knows which files outlived their transactions.
        let unsure: &[(u32, u64)] = &[(1100, GB)];
        let opened = [('d', old), ('d', old)];
        for (then, expected) in [
            (&[('w', unsure), ('d', unsure), ('d', unsure)][..], "www"),
            (&[('w', &[][..])], "."),
            (&[('?', &[]), ('w', old)], "?w"),
            // The same number anew is another file.
            (&[('w', &[]), ('w', old), ('d', old)], "..w"),
        ] {
            let samples: Vec<_> = opened.iter().chain(then).copied().collect();
            assert_eq!(play(&samples)[2..], *expected, "{then:?}");
        }
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
