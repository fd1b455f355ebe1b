//! Sizes of many relations in a delimited file: PgHero's table, and any `time,schema,table,bytes`.

use std::io::{Read, Seek};

use csv::ByteRecord;
use jiff::Timestamp;

use crate::columns::Columns;
use crate::evidence::{Evidence, Reading};
use crate::layout::Layout;
use crate::records::cell;
use crate::refused::Refused;
use crate::table::{check_width, each};
use crate::{ReadOptions, json};

/// What a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// PgHero's `pghero_space_stats`: tables and indexes alike, and every sample whole.
    PgHero,
    /// Sizes of tables.
    Tables,
    /// One size over time.
    Series,
}

/// A relation's size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationSize<'a> {
    /// When it was measured.
    pub at: Timestamp,
    /// The database that PgHero says it is of.
    pub database: Option<&'a str>,
    /// Its schema, where the file has a column of them.
    pub schema: Option<&'a str>,
    /// Its name; with the schema before it where there is no column of schemas.
    pub relation: &'a str,
    /// How large it is.
    pub bytes: u64,
}

#[derive(Debug, Clone, Copy)]
struct Places {
    database: Option<usize>,
    schema: Option<usize>,
    relation: usize,
    /// Whether an apostrophe guards names, as our own export writes it.
    is_guarded: bool,
}

/// What a file has, by its header.
///
/// # Errors
/// [`Refused`], where it has no layout that is known.
pub fn kind(input: &mut (impl Read + Seek)) -> Result<Kind, Refused> {
    input.rewind()?;
    if json::is_json(input)? {
        return Ok(Kind::Series);
    }
    Ok(kind_of(&Layout::find(input)?).0)
}

fn kind_of(layout: &Layout) -> (Kind, Option<Places>) {
    let column = |names: &[&str]| {
        layout
            .header
            .as_ref()?
            .iter()
            .position(|given| names.iter().any(|name| given.eq_ignore_ascii_case(name)))
    };
    let relation = column(&["table", "relation", "table_name", "tablename", "relname"]);
    let Some(relation) = relation else {
        return (Kind::Series, None);
    };
    let schema = column(&[
        "schema",
        "schema_name",
        "schemaname",
        "table_schema",
        "nspname",
    ]);
    let is_pghero = column(&["relation"]).is_some()
        && column(&["size"]).is_some()
        && column(&["captured_at"]).is_some();
    let places = Places {
        database: column(&["database"]).filter(|_| is_pghero),
        schema,
        relation,
        is_guarded: ["heap_bytes", "toast_bytes", "index_bytes", "row_count"]
            .iter()
            .all(|name| column(&[*name]).is_some()),
    };
    (
        if is_pghero {
            Kind::PgHero
        } else {
            Kind::Tables
        },
        Some(places),
    )
}

/// Calls `take` with each relation's size, and `bad` with each line that has none that can be used:
/// its number, its time where that can be told, and what is wrong. Returns notes on what was assumed.
///
/// # Errors
/// [`Refused`], where nothing of the file can be used, and what the two functions return.
pub fn relations<E: From<Refused>>(
    input: &mut (impl Read + Seek),
    options: &ReadOptions,
    mut take: impl FnMut(u64, &RelationSize<'_>) -> Result<(), E>,
    mut bad: impl FnMut(u64, Option<Timestamp>, String) -> Result<(), E>,
) -> Result<Vec<String>, E> {
    input.rewind().map_err(Refused::Io)?;
    let layout = Layout::find(input)?;
    let (kind, Some(places)) = kind_of(&layout) else {
        return Err(Refused::Shape("it has no column of tables".to_owned()).into());
    };
    let mut columns = Columns::choose(&layout, options)?;
    if kind == Kind::PgHero {
        columns.value = layout
            .header
            .iter()
            .flatten()
            .position(|name| name.eq_ignore_ascii_case("size"))
            .unwrap_or(columns.value);
        // a table of 0 bytes or one page is ordinary
        columns.says.word = Some(crate::unit::Word::Bytes);
    }
    options.check_free(&columns.name, columns.says)?;
    let mut evidence = Evidence::new(options, false);
    each(input, &layout, |line, record| {
        // what cannot be read is told of when it is reached, and says nothing about the others
        if check_width(line, record, &layout).is_ok() {
            let _ = evidence.time(line, &cell(record, columns.time));
            let _ = evidence.number(line, &cell(record, columns.value));
        }
        Ok(())
    })?;
    let mut notes = Vec::new();
    let prefers_point = layout.delimiter.0 == b',';
    let reading = evidence.decide(&columns.name, columns.says, prefers_point, &mut notes)?;
    let mut failed: Result<(), E> = Ok(());
    each(input, &layout, |line, record| {
        if failed.is_err() {
            return Ok(());
        }
        let at = reading.time(line, &cell(record, columns.time));
        failed = match size(
            &layout,
            places,
            &columns,
            &reading,
            line,
            record,
            at.as_ref().ok(),
        ) {
            Ok(Some(size)) => take(line, &size),
            Ok(None) => bad(line, at.ok(), "it has no number of bytes".to_owned()),
            Err(reason) => bad(line, at.ok(), reason),
        };
        Ok(())
    })?;
    failed.map(|()| notes)
}

fn size<'a>(
    layout: &Layout,
    places: Places,
    columns: &Columns,
    reading: &Reading,
    line: u64,
    record: &'a ByteRecord,
    at: Option<&Timestamp>,
) -> Result<Option<RelationSize<'a>>, String> {
    let reason = |refused: Refused| match refused {
        Refused::Line { reason, .. } => reason,
        refused => refused.to_string(),
    };
    check_width(line, record, layout).map_err(reason)?;
    let text = |at: usize| {
        std::str::from_utf8(record.get(at).unwrap_or_default())
            .map_err(|_| "its text is not UTF-8".to_owned())
    };
    let Some(&at) = at else {
        return reading
            .time(line, text(columns.time)?)
            .map(|_| None)
            .map_err(reason);
    };
    let name = |at: usize| {
        text(at).map(|name| match name.strip_prefix('\'') {
            Some(unguarded) if places.is_guarded => unguarded,
            _ => name,
        })
    };
    let relation = name(places.relation)?;
    let schema = places.schema.map(name).transpose()?;
    if relation.is_empty() || schema.is_some_and(str::is_empty) {
        return Err("it names no table".to_owned());
    }
    if relation.contains('\0') || schema.is_some_and(|schema| schema.contains('\0')) {
        return Err("there is a NUL byte in a name".to_owned());
    }
    let bytes = reading.bytes(line, text(columns.value)?).map_err(reason)?;
    Ok(bytes.map(|bytes| RelationSize {
        at,
        database: places.database.and_then(|at| text(at).ok()),
        schema,
        relation,
        bytes,
    }))
}
