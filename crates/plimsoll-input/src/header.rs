//! What a column's or series' name says: a time, a unit, free space, something that is no size.

use crate::unit::Word;

/// What a name says about the numbers below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Says {
    pub(crate) word: Option<Word>,
    pub(crate) is_free: bool,
    /// Names a size, or a unit of one.
    pub(crate) is_size: bool,
    /// Names what is no size: rows, an identifier, a share.
    pub(crate) is_no_size: bool,
}

/// Whether a name is one of a time.
pub(crate) fn is_time(name: &str) -> bool {
    const NAMES: [&str; 24] = [
        "time",
        "timestamp",
        "date",
        "datetime",
        "day",
        "ts",
        "at",
        "when",
        "captured_at",
        "created_at",
        "sampled_at",
        "measured_at",
        "collected_at",
        "recorded_at",
        "_time",
        "epoch",
        "unix_time",
        "unixtime",
        "date/time",
        "period",
        "bucket",
        "datum",
        "timestamps",
        "t",
    ];
    let lower = name.trim().to_ascii_lowercase().replace(' ', "_");
    let lower = lower
        .split_once(['(', '['])
        .map_or(&*lower, |(before, _)| before.trim_end_matches('_'));
    NAMES.contains(&lower)
        || lower.ends_with("_at")
        || lower.ends_with("_time")
        || lower.starts_with("time_")
}

/// What a name says. Of a metric with labels, the metric's own name is read: a database may be called `free`.
pub(crate) fn says(name: &str) -> Says {
    let mut says = Says::default();
    let own = metric(name);
    let words = words(own);
    for (place, word) in words.iter().enumerate() {
        match &*word.to_ascii_lowercase() {
            "free" | "available" | "avail" | "remaining" | "freeable" | "unused" => {
                says.is_free = true;
            }
            "size" | "sizes" | "storage" | "disk" | "used" | "usage" => says.is_size = true,
            "rows" | "row" | "tuples" | "count" | "id" | "oid" | "number" | "percent" | "pct"
            | "percentage" | "ratio" | "seconds" | "duration" | "iops" | "rate" | "connections"
            | "change" | "delta" | "diff" | "growth" | "pretty" | "human" => says.is_no_size = true,
            _ => {}
        }
        // a unit stands last, or in brackets; `t` and `m` elsewhere are words
        let is_last = place + 1 == words.len();
        let is_long = word.len() > 1;
        if let Some(word) = Word::of(word)
            && (is_last || is_long)
            && (is_last || !matches!(word, Word::NotASize))
            && (words.len() > 1 || is_long)
        {
            says.word = Some(word);
        }
    }
    let lower = own.to_ascii_lowercase();
    let is_rate = ["per second", "per_second", "/s"]
        .iter()
        .any(|rate| lower.contains(rate));
    if is_rate || own.contains('%') {
        says.word = Some(Word::NotASize);
    }
    match says.word {
        Some(Word::NotASize | Word::Bits) => says.is_no_size = true,
        Some(Word::Bytes | Word::Either(_) | Word::Binary(_)) => says.is_size = true,
        Some(Word::Letter(_)) | None => {}
    }
    says
}

/// The metric in `metric{label="value"}` and `{__name__="metric", label="value"}`.
fn metric(name: &str) -> &str {
    let Some((before, labels)) = name.split_once('{') else {
        return name;
    };
    if !before.trim().is_empty() {
        return before.trim();
    }
    labels
        .split_once("__name__=\"")
        .and_then(|(_, rest)| rest.split_once('"'))
        .map_or("", |(metric, _)| metric)
}

/// The labels' values in `metric{label="value"}`.
pub(crate) fn labels(name: &str) -> Vec<&str> {
    let Some((_, labels)) = name.split_once('{') else {
        return Vec::new();
    };
    labels.split('"').skip(1).step_by(2).collect()
}

/// `dbSizeInGB` and `db_size (GiB)` as their words.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for part in name
        .split(|c: char| !c.is_alphanumeric() && c != '%')
        .filter(|part| !part.is_empty())
    {
        if Word::of(part).is_some() {
            words.push(part.to_owned());
            continue;
        }
        let mut word = String::new();
        let mut was_lower = false;
        for c in part.chars() {
            if c.is_uppercase() && was_lower {
                words.push(std::mem::take(&mut word));
            }
            was_lower = c.is_lowercase();
            word.push(c);
        }
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_their_unit_and_whether_they_are_free_space() {
        let either = |power| Some(Word::Either(power));
        for (name, word, is_free, is_no_size) in [
            ("bytes", Some(Word::Bytes), false, false),
            ("size_gb", either(3), false, false),
            ("Size (GiB)", Some(Word::Binary(3)), false, false),
            ("size [MB]", either(2), false, false),
            ("dbSizeInGB", either(3), false, false),
            ("pg_database_size_bytes", Some(Word::Bytes), false, false),
            ("size_b", Some(Word::Bytes), false, false),
            ("used_g", Some(Word::Letter(3)), false, false),
            ("shop", None, false, false),
            ("value", None, false, false),
            ("FreeStorageSpace", None, true, false),
            (
                "node_filesystem_avail_bytes",
                Some(Word::Bytes),
                true,
                false,
            ),
            ("Free Storage Space (MB)", either(2), true, false),
            ("freelancers", None, false, false),
            (
                "pg_database_size_bytes{datname=\"free\"}",
                Some(Word::Bytes),
                false,
                false,
            ),
            (
                "{__name__=\"node_filesystem_free_bytes\", job=\"x\"}",
                Some(Word::Bytes),
                true,
                false,
            ),
            (
                "{datname=\"shop\", instance=\"free:9187\"}",
                None,
                false,
                false,
            ),
            ("row_count", Some(Word::NotASize), false, true),
            ("used %", Some(Word::NotASize), false, true),
            (
                "Write throughput (Bytes/Second)",
                Some(Word::NotASize),
                false,
                true,
            ),
            ("size_pretty", None, false, true),
            ("t", None, false, false),
            ("m", None, false, false),
        ] {
            let says = says(name);
            assert_eq!(
                (says.word, says.is_free, says.is_no_size),
                (word, is_free, is_no_size),
                "{name}"
            );
        }
    }

    #[test]
    fn names_of_times_are_known() {
        for name in [
            "Time",
            "date",
            "captured_at",
            "_time",
            "Timestamp (UTC)",
            "time_bucket",
            "Date/Time",
        ] {
            assert!(is_time(name), "{name}");
        }
        for name in ["bytes", "size", "times_called", "data"] {
            assert!(!is_time(name), "{name}");
        }
    }
}
