//! Units of bytes, as headers, cells and people write them.

use std::str::FromStr;

/// What a number counts, as a word after it or in a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// Bytes.
    Bytes,
    /// kB, MB, GB: powers of 1000 in standards, of 1024 in PostgreSQL and older programs.
    Either(u32),
    /// KiB, MiB, GiB: powers of 1024.
    Binary(u32),
    /// K, M, G: powers of 1024 in `du -h` and `df -h`, of 1000 elsewhere.
    Letter(u32),
    /// Bits, or what may be bits: `Gb`.
    Bits,
    /// Not a size: percent, a rate, rows, a duration.
    NotASize,
}

/// What the file's numbers count, as it was said on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Each number counts so many bytes, whatever the header says.
    Bytes(u64),
    /// The units that the file names are powers of this: 1000 or 1024.
    Base(u64),
}

const PREFIXES: [char; 6] = ['k', 'm', 'g', 't', 'p', 'e'];
const NAMES: [[&str; 2]; 6] = [
    ["kilo", "kibi"],
    ["mega", "mebi"],
    ["giga", "gibi"],
    ["tera", "tebi"],
    ["peta", "pebi"],
    ["exa", "exbi"],
];

impl Word {
    /// What a word means; none where it means nothing that is known.
    pub(crate) fn of(word: &str) -> Option<Self> {
        let lower = word.to_ascii_lowercase();
        match &*lower {
            "b" | "byte" | "bytes" | "octets" | "by" | "decbytes" => return Some(Self::Bytes),
            "%" | "percent" | "pct" | "percentage" | "ratio" | "ms" | "s" | "sec" | "seconds"
            | "rows" | "tuples" | "count" | "pages" | "blocks" | "inodes" | "iops" | "bps"
            | "binbps" => {
                return Some(Self::NotASize);
            }
            "bit" | "bits" => return Some(Self::Bits),
            _ => {}
        }
        if lower.contains("/s") || lower.contains("per second") || lower.ends_with("bps") {
            return Some(Self::NotASize);
        }
        for (power, names) in (1..).zip(NAMES) {
            for (name, is_binary) in names.into_iter().zip([false, true]) {
                match lower.strip_prefix(name) {
                    Some("byte" | "bytes") if is_binary => return Some(Self::Binary(power)),
                    Some("byte" | "bytes") => return Some(Self::Either(power)),
                    Some("bit" | "bits") => return Some(Self::Bits),
                    _ => {}
                }
            }
        }
        let mut chars = lower.chars();
        let first = chars.next()?;
        let power = (1..).zip(PREFIXES).find(|(_, prefix)| *prefix == first)?.0;
        match chars.as_str() {
            "" => Some(Self::Letter(power)),
            "i" | "ib" => Some(Self::Binary(power)),
            "bit" | "bits" => Some(Self::Bits),
            "byte" | "bytes" => Some(Self::Either(power)),
            // `Gb` is a gigabit to some; `gb` is what headers in lower case write
            "b" if word.ends_with('b') && !word.starts_with(first) => Some(Self::Bits),
            "b" => Some(Self::Either(power)),
            _ => None,
        }
    }

    /// How many bytes it is; a word that leaves the base open counts in powers of `base`.
    pub(crate) fn bytes(self, base: u64) -> Option<u64> {
        match self {
            Self::Bytes => Some(1),
            Self::Either(power) | Self::Letter(power) => base.checked_pow(power),
            Self::Binary(power) => 1024_u64.checked_pow(power),
            Self::Bits | Self::NotASize => None,
        }
    }
}

impl FromStr for Unit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "1000" => return Ok(Self::Base(1000)),
            "1024" => return Ok(Self::Base(1024)),
            _ => {}
        }
        match Word::of(text) {
            Some(word @ (Word::Bytes | Word::Either(_) | Word::Binary(_))) => {
                word.bytes(1000).map(Self::Bytes).ok_or_else(|| wrong(text))
            }
            _ => Err(wrong(text)),
        }
    }
}

fn wrong(text: &str) -> String {
    format!(
        "`{}` is no unit: say B, kB, MB, GB, TB (1000 apart), KiB, MiB, GiB, TiB (1024 apart), or 1000 or \
         1024 for how far apart the units are that the file names",
        crate::refused::beginning(text)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_units_as_people_write_them() {
        for (word, expected) in [
            ("bytes", Some(Word::Bytes)),
            ("Bytes", Some(Word::Bytes)),
            ("B", Some(Word::Bytes)),
            ("kB", Some(Word::Either(1))),
            ("KB", Some(Word::Either(1))),
            ("gb", Some(Word::Either(3))),
            ("GB", Some(Word::Either(3))),
            ("Gb", Some(Word::Bits)),
            ("Mb", Some(Word::Bits)),
            ("Mbit", Some(Word::Bits)),
            ("MiB", Some(Word::Binary(2))),
            ("Gi", Some(Word::Binary(3))),
            ("Gigabytes", Some(Word::Either(3))),
            ("mebibyte", Some(Word::Binary(2))),
            ("G", Some(Word::Letter(3))),
            ("%", Some(Word::NotASize)),
            ("B/s", Some(Word::NotASize)),
            ("Bytes/Second", Some(Word::NotASize)),
            ("KBps", Some(Word::NotASize)),
            ("parsecs", None),
            ("mobile", None),
        ] {
            assert_eq!(Word::of(word), expected, "{word}");
        }
        assert_eq!("GiB".parse(), Ok(Unit::Bytes(1 << 30)));
        assert_eq!("GB".parse(), Ok(Unit::Bytes(1_000_000_000)));
        assert_eq!("1024".parse(), Ok(Unit::Base(1024)));
        assert!("Gb".parse::<Unit>().unwrap_err().contains("1000"));
    }
}
