//! How a volume and its parts went, from kept looks.

use plimsoll_core::disk::kept::Look;
use plimsoll_core::disk::part::Kind;
use serde::Serialize;
use utoipa::ToSchema;

use crate::answer::schema;

/// How a volume went: a number for each time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct VolumeSeries {
    /// Times, in seconds since 1970.
    pub t: Vec<i64>,
    /// Used bytes.
    pub used: Vec<Option<u64>>,
    /// Of each part that was seen at any of the times.
    pub parts: Vec<PartSeries>,
}

/// How a part went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PartSeries {
    /// The part.
    #[schema(schema_with = schema::disk_part)]
    pub part: Kind,
    /// Which of its kind.
    pub name: Option<String>,
    /// Its bytes; null where it was not seen.
    pub bytes: Vec<Option<i64>>,
}

/// The series of one pool.
pub(super) fn series(looks: &[Look], pool: &str) -> VolumeSeries {
    let mut answer = VolumeSeries {
        t: Vec::with_capacity(looks.len()),
        used: Vec::with_capacity(looks.len()),
        parts: Vec::new(),
    };
    for (at, look) in looks.iter().enumerate() {
        answer.t.push(look.at.as_second());
        answer.used.push(look.space(pool).map(|[_, used, _]| used));
        for part in look.parts(pool).into_iter().flatten() {
            let same =
                |other: &&mut PartSeries| (other.part, &other.name) == (part.part, &part.name);
            let series = match answer.parts.iter_mut().find(same) {
                Some(series) => series,
                None => {
                    answer.parts.push(PartSeries {
                        part: part.part,
                        name: part.name.clone(),
                        bytes: Vec::new(),
                    });
                    // It was just pushed.
                    let last = answer.parts.len() - 1;
                    &mut answer.parts[last]
                }
            };
            series.bytes.resize(at, None);
            series.bytes.push(part.bytes);
        }
    }
    for series in &mut answer.parts {
        series.bytes.resize(looks.len(), None);
    }
    answer
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use plimsoll_core::disk::kept::PoolContents;
    use plimsoll_core::disk::part::{Part, Source};

    use super::*;

    #[test]
    fn a_part_that_was_not_always_there_has_gaps_and_no_zeros() {
        let at = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
        let part = |name, bytes, minute| {
            Part::measured(Kind::Database, Some(name), bytes, Source::Files, at(minute))
        };
        let look = |minute, parts: &[Part]| {
            let seen = PoolContents {
                pool: "/dev/sda",
                space: None,
                parts,
            };
            Look::of(at(minute), None, &[seen])
        };
        let looks = [
            look(0, &[part("a", 1, 0)]),
            look(1, &[part("a", 2, 1), part("b", 7, 1)]),
            look(
                2,
                &[part("b", 8, 2), Part::unknown(Kind::Wal, None, "hidden")],
            ),
        ];
        let answer = series(&looks, "/dev/sda");
        assert_eq!((answer.t, answer.used), (vec![0, 60, 120], vec![None; 3]));
        let bytes: Vec<_> = answer.parts.iter().map(|part| part.bytes.clone()).collect();
        assert_eq!(
            bytes,
            [
                vec![Some(1), Some(2), None],
                vec![None, Some(7), Some(8)],
                vec![None, None, None],
            ]
        );
        assert_eq!(series(&looks, "/dev/sdb").parts, []);
    }
}
