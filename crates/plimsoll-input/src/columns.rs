//! Which columns hold times, sizes, and what tells several series apart.

use csv::ByteRecord;

use crate::ReadOptions;
use crate::header::{self, Says};
use crate::layout::Layout;
use crate::number::{self, Cell, STYLES};
use crate::records::cell;
use crate::refused::{Refused, listed};
use crate::time;
use crate::unit::Word;

/// Where a file has what.
#[derive(Debug)]
pub(crate) struct Columns {
    pub(crate) time: usize,
    pub(crate) value: usize,
    /// Columns of text, whose values tell series apart.
    pub(crate) labels: Vec<usize>,
    /// Of the series that they tell apart, the one with this label.
    pub(crate) label: Option<String>,
    pub(crate) name: String,
    pub(crate) says: Says,
}

/// What the first cells of a column hold.
#[derive(Debug, Default, Clone, Copy)]
struct Contents {
    dates: usize,
    times: usize,
    numbers: usize,
    texts: usize,
    all: usize,
}

impl Contents {
    fn by(first: &[(u64, ByteRecord)], column: usize) -> Self {
        let mut held = Self::default();
        for (_, record) in first.iter().filter(|(_, record)| record.len() > column) {
            let text = cell(record, column);
            let cells = STYLES.map(|style| number::read(&text, style));
            if cells.contains(&Cell::Missing) {
                continue;
            }
            held.all += 1;
            if time::is_date(&text) {
                held.dates += 1;
            } else if time::forms(&text).next().is_some() {
                held.times += 1;
            }
            if cells.iter().any(|cell| matches!(cell, Cell::Number(_))) {
                held.numbers += 1;
            } else {
                held.texts += 1;
            }
        }
        held
    }

    const fn are_dates(self) -> bool {
        2 * self.dates > self.all
    }
}

impl Columns {
    pub(crate) fn choose(layout: &Layout, options: &ReadOptions) -> Result<Self, Refused> {
        let held: Vec<Contents> = (0..layout.columns)
            .map(|at| Contents::by(&layout.first, at))
            .collect();
        let time = time_column(layout, &held)?;
        let others: Vec<usize> = (0..layout.columns).filter(|&at| at != time).collect();
        // in a file without data, or only missing cells, every other column may hold sizes
        let (values, labels): (Vec<usize>, Vec<usize>) = others.into_iter().partition(|&at| {
            let is_named_so = matches!(
                header::says(&layout.name(at)).word,
                Some(Word::Bytes | Word::Either(_) | Word::Binary(_))
            );
            held[at].texts == 0 || held[at].numbers > held[at].texts || is_named_so
        });
        // what is empty in every line is no series beside one that is not
        let has_any = values.iter().any(|&at| held[at].all > 0);
        let values: Vec<usize> = values
            .into_iter()
            .filter(|&at| held[at].all > 0 || !has_any)
            .collect();
        let labels: Vec<usize> = labels
            .into_iter()
            .filter(|&at| !held[at].are_dates())
            .collect();
        let names: Vec<String> = values.iter().map(|&at| layout.name(at)).collect();
        let asked = options.column.as_deref();
        let by_name = asked.and_then(|asked| {
            let same: Vec<usize> = (0..values.len())
                .filter(|&at| names[at] == asked || header::labels(&names[at]).contains(&asked))
                .collect();
            (same.len() == 1).then(|| same[0])
        });
        let place = match (by_name, asked) {
            (Some(place), _) => place,
            (None, Some(asked)) if values.len() > 1 && !has_label(layout, &labels, asked) => {
                return Err(Refused::NoSuchSeries {
                    asked: asked.to_owned(),
                    names: listed(names.iter().map(String::as_str)),
                });
            }
            _ => the_sizes(&names).ok_or_else(|| {
                if names.is_empty() {
                    let all: Vec<String> = (0..layout.columns).map(|at| layout.name(at)).collect();
                    Refused::Shape(format!(
                        "no column of it has sizes; its columns are {}",
                        listed(all.iter().map(String::as_str))
                    ))
                } else {
                    Refused::SeveralSeries {
                        names: listed(names.iter().map(String::as_str)),
                    }
                }
            })?,
        };
        let name = names[place].clone();
        Ok(Self {
            time,
            value: values[place],
            labels,
            label: asked.filter(|_| by_name.is_none()).map(str::to_owned),
            says: layout.says(&name),
            name,
        })
    }

    /// The labels of a record, one text.
    pub(crate) fn series(&self, record: &ByteRecord) -> String {
        let labels: Vec<_> = self.labels.iter().map(|&at| cell(record, at)).collect();
        labels
            .iter()
            .map(|label| label.trim())
            .collect::<Vec<_>>()
            .join("/")
    }

    /// Whether a record is of the series that was asked for.
    pub(crate) fn is_wanted(&self, record: &ByteRecord) -> bool {
        self.label.as_deref().is_none_or(|wanted| {
            self.series(record) == wanted
                || self
                    .labels
                    .iter()
                    .any(|&at| cell(record, at).trim() == wanted)
        })
    }
}

fn has_label(layout: &Layout, labels: &[usize], asked: &str) -> bool {
    let mut records = layout.first.iter();
    records.any(|(_, record)| labels.iter().any(|&at| cell(record, at).trim() == asked))
}

fn time_column(layout: &Layout, held: &[Contents]) -> Result<usize, Refused> {
    let named: Vec<usize> = (0..layout.columns)
        .filter(|&at| {
            layout
                .header
                .as_ref()
                .is_some_and(|names| names.get(at).is_some_and(|name| header::is_time(name)))
        })
        .collect();
    let dates: Vec<usize> = (0..layout.columns)
        .filter(|&at| held[at].are_dates())
        .collect();
    let named_dates: Vec<usize> = named
        .iter()
        .copied()
        .filter(|at| dates.contains(at))
        .collect();
    let named_times: Vec<usize> = named
        .iter()
        .copied()
        .filter(|&at| held[at].times > 0)
        .collect();
    for choice in [&named_dates, &dates, &named_times, &named] {
        match &**choice {
            [] => {}
            [one] => return Ok(*one),
            several => {
                let names: Vec<String> = several.iter().map(|&at| layout.name(at)).collect();
                return Err(Refused::Ambiguous(format!(
                    "several columns have times: {}; leave one of them in the file",
                    listed(names.iter().map(String::as_str))
                )));
            }
        }
    }
    // without a header, seconds or milliseconds come first
    match held.first() {
        Some(first)
            if layout.header.is_none() && first.times > 0 && first.times == first.numbers =>
        {
            Ok(0)
        }
        _ => {
            let names: Vec<String> = (0..layout.columns).map(|at| layout.name(at)).collect();
            Err(Refused::Shape(format!(
                "no column has times that are known, such as 2026-01-31T03:00:00Z; the columns are {}",
                listed(names.iter().map(String::as_str))
            )))
        }
    }
}

/// The one of several columns that holds the size.
fn the_sizes(names: &[String]) -> Option<usize> {
    if names.len() == 1 {
        return Some(0);
    }
    let only = |is_it: &dyn Fn(&str) -> bool| {
        let mut places = (0..names.len()).filter(|&at| is_it(&names[at]));
        places.next().filter(|_| places.next().is_none())
    };
    let exactly = only(&|name| {
        let lower = name.to_ascii_lowercase();
        matches!(
            &*lower,
            "bytes" | "total_bytes" | "size_bytes" | "database_size_bytes" | "_value"
        )
    });
    exactly.or_else(|| {
        let size = only(&|name| !header::says(name).is_no_size || header::says(name).is_size)?;
        header::says(&names[size]).is_size.then_some(size)
    })
}
