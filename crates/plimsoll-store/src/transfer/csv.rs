//! Reads the sizes that other tools kept, as CSV: PgHero's `pghero_space_stats`, or any
//! `time,schema,table,bytes`.

use std::io::Read;

use ::csv::StringRecord;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::staging::{Seen, Staging};
use super::{Moved, TransferError, take};
use crate::{DatabaseKey, Row, Store};

/// How bad lines and several databases are dealt with.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Of several databases in the input, this one.
    pub source_database: Option<String>,
    /// Leave out every sample that has a bad line, instead of importing nothing.
    pub skip_bad_samples: bool,
}

/// What became of the sizes in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// What was taken.
    pub moved: Moved,
    /// Bad lines, the first few with what is wrong with them.
    pub bad_lines: Vec<String>,
    /// How many there were.
    pub bad_lines_total: u64,
    /// Whether the store told tables and their indexes apart; else names had to.
    pub knew_indexes: bool,
}

/// How many bad lines are listed.
const LISTED: usize = 10;

/// Sizes lie between these: ticks outside are no history.
const YEARS: std::ops::Range<i16> = 1990..2200;

/// Where a file has what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    is_pghero: bool,
    database: Option<usize>,
    schema: Option<usize>,
    relation: usize,
    bytes: usize,
    at: usize,
}

/// Reads a file and has the store take what it lacks of it, as the history of database `of`.
pub async fn import(
    store: &dyn Store,
    of: &DatabaseKey,
    input: impl Read + Send + 'static,
    options: &Options,
) -> Result<Imported, TransferError> {
    let known = known(store, of).await?;
    let knew_indexes = known.iter().any(super::row::RelationRow::is_index);
    let options = options.clone();
    let read = tokio::task::spawn_blocking(move || stage(input, &options));
    let (staging, bad) = read.await.map_err(std::io::Error::other)??;
    let of = of.clone();
    let moved = take(store, async |to| {
        let emitting = tokio::task::spawn_blocking(move || staging.emit(&of, &known, &to));
        emitting.await.map_err(std::io::Error::other)?
    })
    .await?;
    Ok(Imported {
        moved,
        bad_lines: bad.listed,
        bad_lines_total: bad.total,
        knew_indexes,
    })
}

/// The relations that the store knows of the database.
async fn known(
    store: &dyn Store,
    of: &DatabaseKey,
) -> Result<Vec<super::row::RelationRow>, TransferError> {
    let (to, mut from) = tokio::sync::mpsc::channel(1);
    let collecting = async {
        let mut relations = Vec::new();
        while let Some(batch) = from.recv().await {
            for row in batch {
                match row {
                    Row::Database(_) => {}
                    Row::Relation(relation) => relations.push(relation),
                    _ => {
                        from.close();
                        return relations;
                    }
                }
            }
        }
        relations
    };
    let (read, relations) = tokio::join!(store.read_history(of, to), collecting);
    read?;
    Ok(relations)
}

#[derive(Debug, Default)]
struct Bad {
    listed: Vec<String>,
    total: u64,
}

fn stage(input: impl Read, options: &Options) -> Result<(Staging, Bad), TransferError> {
    let mut reader = ::csv::ReaderBuilder::new()
        .flexible(true)
        .has_headers(true)
        .from_reader(input);
    let header = reader.headers().map_err(wrong)?.clone();
    let layout = Layout::of(&header).map_err(|reason| TransferError::Line { number: 1, reason })?;
    let staging = Staging::new(layout.is_pghero)?;
    let mut bad = Bad::default();
    let mut databases: Vec<String> = Vec::new();
    let mut record = StringRecord::new();
    loop {
        match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {}
            Err(error) => {
                // text that is no UTF-8 spoils its own line only
                if !matches!(error.kind(), ::csv::ErrorKind::Utf8 { .. }) {
                    return Err(wrong(error));
                }
                let line = error.position().map_or(0, ::csv::Position::line);
                bad.add(line, "its text is not UTF-8");
                continue;
            }
        }
        let line = record.position().map_or(0, ::csv::Position::line);
        if let Some(name) = layout.database.and_then(|at| record.get(at)) {
            if options
                .source_database
                .as_ref()
                .is_some_and(|only| only != name)
            {
                continue;
            }
            if !databases.iter().any(|known| known == name) {
                databases.push(name.to_owned());
            }
        }
        match layout.seen(&record, header.len()) {
            Ok(seen) => staging.add(&seen)?,
            Err((at, reason)) => {
                bad.add(line, &reason);
                if let Some(at) = at {
                    staging.spoil(at)?;
                }
            }
        }
    }
    if databases.len() > 1 {
        databases.sort();
        return Err(TransferError::SeveralDatabases(databases.join(", ")));
    }
    if bad.total > 0 && !options.skip_bad_samples {
        return Err(TransferError::Lines {
            count: bad.total,
            listed: bad.listed.join("; "),
        });
    }
    Ok((staging, bad))
}

fn wrong(error: ::csv::Error) -> TransferError {
    let number = error.position().map_or(1, ::csv::Position::line);
    match error.into_kind() {
        ::csv::ErrorKind::Io(error) => TransferError::Io(error),
        ::csv::ErrorKind::Utf8 { .. } => TransferError::Line {
            number,
            reason: "its text is not UTF-8".to_owned(),
        },
        kind => TransferError::Line {
            number,
            reason: format!("it is no CSV: {kind:?}"),
        },
    }
}

impl Bad {
    fn add(&mut self, line: u64, reason: &str) {
        self.total += 1;
        if self.listed.len() < LISTED {
            self.listed.push(format!("line {line}: {reason}"));
        }
    }
}

impl Layout {
    pub(crate) fn of(header: &StringRecord) -> Result<Self, String> {
        let column = |names: &[&str]| {
            header.iter().position(|given| {
                let given = given.trim().trim_start_matches('\u{feff}');
                names.iter().any(|name| given.eq_ignore_ascii_case(name))
            })
        };
        let pghero = (
            column(&["relation"]),
            column(&["size"]),
            column(&["captured_at"]),
        );
        if let (Some(relation), Some(bytes), Some(at)) = pghero {
            return Ok(Self {
                is_pghero: true,
                database: column(&["database"]),
                schema: column(&["schema"]),
                relation,
                bytes,
                at,
            });
        }
        let generic = (column(&["table"]), column(&["bytes"]), column(&["time"]));
        if let (Some(relation), Some(bytes), Some(at)) = generic {
            return Ok(Self {
                is_pghero: false,
                database: None,
                schema: column(&["schema"]),
                relation,
                bytes,
                at,
            });
        }
        Err(format!(
            "the columns `{}` are neither time,schema,table,bytes nor PgHero's \
             database,schema,relation,size,captured_at",
            header.iter().collect::<Vec<_>>().join(",")
        ))
    }

    /// What a record says; else what is wrong with it, and of which sample it is where that can be told.
    fn seen(&self, record: &StringRecord, columns: usize) -> Result<Seen, (Option<i64>, String)> {
        let at = record.get(self.at).and_then(time);
        let bad = |reason: String| (at.map(Timestamp::as_millisecond), reason);
        if record.len() != columns {
            return Err(bad(format!(
                "it has {} fields, and the header {columns}",
                record.len()
            )));
        }
        let text = |at: usize| record.get(at).unwrap_or_default();
        let Some(at) = at else {
            return Err(bad(format!(
                "`{}` is no time such as 2026-01-31T03:00:00Z or 2026-01-31 03:00:00 (UTC)",
                text(self.at)
            )));
        };
        let relation = text(self.relation);
        let schema = self.schema.map_or("public", text);
        if relation.is_empty() || schema.is_empty() {
            return Err(bad("it names no table".to_owned()));
        }
        if relation.contains('\0') || schema.contains('\0') {
            return Err(bad("there is a NUL byte in a name".to_owned()));
        }
        let Ok(bytes) = text(self.bytes).trim().parse::<u64>() else {
            return Err(bad(format!("`{}` is no number of bytes", text(self.bytes))));
        };
        let Ok(bytes) = i64::try_from(bytes) else {
            return Err(bad(format!("{bytes} bytes is more than there can be")));
        };
        Ok(Seen {
            at: at.as_millisecond(),
            schema: schema.to_owned(),
            relation: relation.to_owned(),
            bytes,
        })
    }
}

/// A time as databases and programs write it: with an offset, or without one, which is UTC.
pub fn moment(text: &str) -> Option<Timestamp> {
    if let Ok(at) = text.parse() {
        return Some(at);
    }
    let civil: DateTime = text.parse().ok()?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// A [`moment`] that may be one of a history.
fn time(text: &str) -> Option<Timestamp> {
    let at = moment(text.trim().trim_end_matches(" UTC"))?;
    let year = at.to_zoned(TimeZone::UTC).year();
    YEARS.contains(&year).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_databases_and_programs_write_them() {
        for (text, expected) in [
            ("2026-01-31T03:00:00Z", Some("2026-01-31T03:00:00Z")),
            ("2026-01-31 03:00:00.25", Some("2026-01-31T03:00:00.25Z")),
            ("2026-01-31 03:00:00+00", Some("2026-01-31T03:00:00Z")),
            ("2026-01-31 03:00:00 UTC", Some("2026-01-31T03:00:00Z")),
            ("2026-01-31 05:00:00+02", Some("2026-01-31T03:00:00Z")),
            ("2026-01-31", Some("2026-01-31T00:00:00Z")),
            ("31.01.2026", None),
            ("9999-01-31", None),
            ("", None),
        ] {
            let expected = expected.map(|text| text.parse::<Timestamp>().unwrap());
            assert_eq!(time(text), expected, "{text}");
        }
    }
}
