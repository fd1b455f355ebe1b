//! How each part of a volume went over a stretch of time, at so many moments as far apart: what a small picture needs.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::part::{Kind, Part};

/// The bytes of each part at each moment; none where it was not known then.
pub type Steps = BTreeMap<(Kind, Option<String>), Vec<Option<i64>>>;

/// So many moments from `from` to `to`, both among them, of looks that are sorted by time. At each counts the last look
/// until then; before the first look nothing is known.
pub fn steps(
    looks: &[(Timestamp, Vec<Part>)],
    from: Timestamp,
    to: Timestamp,
    count: usize,
) -> Steps {
    let mut all = Steps::new();
    let span = to.duration_since(from).as_secs().max(0);
    for step in 0..count {
        let share = i64::try_from(step).unwrap_or(i64::MAX);
        let of = i64::try_from(count - 1).unwrap_or(i64::MAX).max(1);
        let end = from.as_second() + span.saturating_mul(share) / of;
        let until = looks.partition_point(|(at, _)| at.as_second() <= end);
        let Some((_, parts)) = until.checked_sub(1).and_then(|last| looks.get(last)) else {
            continue;
        };
        for part in parts {
            let bytes = all
                .entry((part.part, part.name.clone()))
                .or_insert_with(|| vec![None; count]);
            bytes[step] = part.bytes;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::part::Source;

    #[test]
    fn at_each_moment_counts_the_last_look_until_then_and_the_first_is_the_beginning() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let look = |second, wal: u64, log: Option<u64>| {
            let part = |kind, bytes| Part::measured(kind, None, bytes, Source::Files, at(second));
            let mut parts = vec![part(Kind::Wal, wal)];
            parts.extend(log.map(|bytes| part(Kind::Log, bytes)));
            (at(second), parts)
        };
        let looks = [look(25, 1, None), look(41, 2, Some(7)), look(100, 3, None)];
        let all = steps(&looks, at(0), at(100), 5);
        assert_eq!(
            all[&(Kind::Wal, None)],
            [None, Some(1), Some(2), Some(2), Some(3)]
        );
        assert_eq!(
            all[&(Kind::Log, None)],
            [None, None, Some(7), Some(7), None]
        );
        // what it grew from is shown, however soon it grew
        let all = steps(&looks, at(30), at(100), 3);
        assert_eq!(all[&(Kind::Wal, None)], [Some(1), Some(2), Some(3)]);
        assert_eq!(steps(&looks, at(30), at(100), 1).len(), 1);
        assert!(steps(&looks, at(0), at(20), 5).is_empty());
        assert!(steps(&[], at(0), at(100), 5).is_empty());
        assert!(steps(&looks, at(0), at(100), 0).is_empty());
    }
}
