//! What a change is made of: the largest shares of it, down to heap, toast and index, and the rest as one row. They add
//! up to the change, always.

use serde::{Deserialize, Serialize};

use crate::name::{shown, shown_table, visible};

/// So many are named.
const NAMED: usize = 5;
/// What is less than one in so many of the change explains nothing of it.
const LEAST: u64 = 100;

/// What part of a database or a disk a share is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The rows of a table.
    Heap,
    /// What is too large for its rows.
    Toast,
    /// One of its indexes.
    Index,
    /// A table that was not there, with all that is its own.
    NewTable,
    /// The write-ahead log.
    Wal,
    /// Files of no relation.
    NoRelation,
    /// A part of a volume: a database, temporary files, what is not PostgreSQL's.
    OfVolume,
    /// All that is not named.
    Other,
}

impl Part {
    /// The name that answers and messages carry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Heap => "heap",
            Self::Toast => "toast",
            Self::Index => "index",
            Self::NewTable => "new_table",
            Self::Wal => "wal",
            Self::NoRelation => "no_relation",
            Self::OfVolume => "of_volume",
            Self::Other => "other",
        }
    }
}

/// A share of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contributor {
    /// What part.
    pub part: Part,
    /// The schema of its table.
    pub schema_name: Option<String>,
    /// Its table.
    pub table_name: Option<String>,
    /// The index; what holds WAL; the part of the volume.
    pub name: Option<String>,
    /// What it gained.
    pub bytes: i64,
}

/// The largest of `all` along the change's direction, and the rest: their sum is `change_bytes`.
pub fn contributors(mut all: Vec<Contributor>, change_bytes: i64) -> Vec<Contributor> {
    let along = change_bytes.signum();
    let least = change_bytes.unsigned_abs() / LEAST;
    all.retain(|contributor| {
        let bytes = contributor.bytes;
        bytes != 0 && bytes.signum() == along && bytes.unsigned_abs() >= least
    });
    all.sort_by(|a, b| {
        b.bytes
            .abs()
            .cmp(&a.bytes.abs())
            .then_with(|| a.text().cmp(&b.text()))
    });
    all.truncate(NAMED);
    let named = all.iter().fold(0_i64, |sum, contributor| {
        sum.saturating_add(contributor.bytes)
    });
    let rest = change_bytes.saturating_sub(named);
    if rest != 0 {
        all.push(Contributor {
            part: Part::Other,
            schema_name: None,
            table_name: None,
            name: None,
            bytes: rest,
        });
    }
    all
}

impl Contributor {
    /// For people.
    pub fn text(&self) -> String {
        let table = || {
            let part = |name: &Option<String>| name.clone().unwrap_or_default();
            shown_table(&part(&self.schema_name), &part(&self.table_name))
        };
        let name = self.name.as_deref().unwrap_or_default();
        match self.part {
            Part::Heap => format!("the rows of {}", table()),
            Part::Toast => format!("the toast of {}", table()),
            Part::Index => format!("index {} of {}", shown(name), table()),
            Part::NewTable => format!("the new table {}", table()),
            Part::Wal => format!("WAL held by {}", visible(name)),
            Part::NoRelation => "files of no relation".to_owned(),
            Part::OfVolume => visible(name).into_owned(),
            Part::Other => "other".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heap(table: &str, bytes: i64) -> Contributor {
        Contributor {
            part: Part::Heap,
            schema_name: Some("public".into()),
            table_name: Some(table.into()),
            name: None,
            bytes,
        }
    }

    fn check(all: Vec<Contributor>, change: i64, expected: &[(&str, i64)]) {
        let found = contributors(all, change);
        let texts: Vec<(String, i64)> = found.iter().map(|c| (c.text(), c.bytes)).collect();
        let texts: Vec<(&str, i64)> = texts
            .iter()
            .map(|(text, bytes)| (text.as_str(), *bytes))
            .collect();
        assert_eq!(texts, expected);
        assert_eq!(found.iter().map(|c| c.bytes).sum::<i64>(), change);
    }

    #[test]
    fn the_largest_come_first_and_all_add_up_with_the_rest() {
        check(
            vec![heap("a", 5), heap("b", 90), heap("c", -20), heap("d", 0)],
            80,
            &[("the rows of b", 90), ("the rows of a", 5), ("other", -15)],
        );
        let many = (0..20).map(|i| heap(&format!("t{i:02}"), 10)).collect();
        check(
            many,
            200,
            &[
                ("the rows of t00", 10),
                ("the rows of t01", 10),
                ("the rows of t02", 10),
                ("the rows of t03", 10),
                ("the rows of t04", 10),
                ("other", 150),
            ],
        );
        check(Vec::new(), 7, &[("other", 7)]);
        check(
            vec![heap("a", -5), heap("b", 2)],
            -3,
            &[("the rows of a", -5), ("other", 2)],
        );
        check(vec![heap("a", 5)], 5, &[("the rows of a", 5)]);
        // A hundredth is named, what is less is not.
        check(
            vec![heap("a", 989), heap("b", 10), heap("c", 9)],
            1008,
            &[("the rows of a", 989), ("the rows of b", 10), ("other", 9)],
        );
    }

    #[test]
    fn hostile_names_are_shown_and_not_obeyed() {
        let index = Contributor {
            part: Part::Index,
            name: Some("x\ny".into()),
            ..heap("a\u{202e}b", 1)
        };
        let text = index.text();
        assert!(
            !text.contains('\u{202e}') && !text.contains('\n'),
            "{text:?}"
        );
    }
}
