//! Reads the sizes that other tools kept: PgHero's `pghero_space_stats`, any `time,schema,table,bytes`,
//! and one size over time, of a database or its volume.

use std::io::{Read, Seek};
use std::sync::Arc;

use jiff::Timestamp;
use plimsoll_core::counted::counted;
use plimsoll_input::{Kind, ReadOptions, Refused};

pub use super::staging::Relations;
use super::staging::{Added, ImportedSize, Staging};
use super::{ImportProgress, ImportedHistory, TransferError, begin, take};
use crate::sample::{signed, unsigned};
use crate::{DatabaseKey, Row, Store, StoreError, TableName};

/// How bad lines and several databases are dealt with, and how the file is to be read.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Of several databases in the input, this one.
    pub source_database: Option<String>,
    /// Leave out every sample that has a bad line, instead of importing nothing.
    pub skip_bad_samples: bool,
    /// What the file does not say itself.
    pub reading: ReadOptions,
    /// How far it has come, and whether it is to stop.
    pub progress: Arc<ImportProgress>,
}

/// What became of the sizes in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// What was taken.
    pub history: ImportedHistory,
    /// Bad lines, the first few with what is wrong with them.
    pub bad_lines: Vec<String>,
    /// How many there were.
    pub bad_lines_total: u64,
    /// Whether tables and their indexes had to be told apart by their names.
    pub told_by_names: bool,
    /// What was assumed, and what was left out.
    pub notes: Vec<String>,
}

/// How many bad lines are listed.
const LISTED: usize = 10;

/// Reads a file and has the store take what it lacks of it, as the history of database `of`.
///
/// # Errors
/// [`TransferError`]; nothing is kept then.
pub async fn import(
    store: &dyn Store,
    of: &DatabaseKey,
    input: impl Read + Seek + Send + 'static,
    options: &Options,
) -> Result<Imported, TransferError> {
    let staged = read(store, of, input, options).await?;
    keep(store, staged, None).await
}

/// Reads a file whose sizes [`keep`] makes the history of database `of`.
///
/// # Errors
/// [`TransferError`].
pub async fn read(
    store: &dyn Store,
    of: &DatabaseKey,
    input: impl Read + Seek + Send + 'static,
    options: &Options,
) -> Result<Staged, TransferError> {
    let known = Relations::of_store(&known(store, of).await?);
    let options = options.clone();
    let of = of.clone();
    let read = tokio::task::spawn_blocking(move || stage(input, &options, of, known));
    read.await.map_err(std::io::Error::other)?
}

/// Has the store take what it lacks of what was read. `told` is what the watched database itself says of its
/// relations, where it was asked.
///
/// # Errors
/// [`TransferError`]; nothing is kept then.
pub async fn keep(
    store: &dyn Store,
    staged: Staged,
    told: Option<Relations>,
) -> Result<Imported, TransferError> {
    let told_by_names = staged.needs_relations() && told.is_none();
    let Staged {
        staging,
        of,
        known,
        progress,
        ..
    } = staged;
    let known = told.unwrap_or(known);
    staging.check()?;
    begin(store).await?;
    let history = take(store, async |to| {
        let emitting =
            tokio::task::spawn_blocking(move || staging.emit(&of, &known, &progress, &to));
        emitting.await.map_err(std::io::Error::other)?
    })
    .await?;
    Ok(Imported {
        history,
        bad_lines: staged.bad.listed,
        bad_lines_total: staged.bad.total,
        told_by_names,
        notes: staged.notes,
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
    match read {
        // one that is yet to be set up knows nothing
        Err(StoreError::Absent { .. } | StoreError::NotMigrated { .. }) => Ok(Vec::new()),
        read => {
            read?;
            Ok(relations)
        }
    }
}

#[derive(Debug, Default)]
struct Bad {
    listed: Vec<String>,
    total: u64,
}

/// A file's sizes on their way to a history.
pub struct Staged {
    of: DatabaseKey,
    /// What the store knows of the database's relations.
    known: Relations,
    progress: Arc<ImportProgress>,
    staging: Staging,
    kind: Kind,
    bad: Bad,
    notes: Vec<String>,
}

impl Staged {
    /// Whether tables and indexes are mixed, and the store cannot tell them apart.
    pub fn needs_relations(&self) -> bool {
        self.kind == Kind::PgHero && !self.known.has_indexes()
    }
}

fn stage(
    mut input: impl Read + Seek,
    options: &Options,
    of: DatabaseKey,
    known: Relations,
) -> Result<Staged, TransferError> {
    let kind = plimsoll_input::kind(&mut input)?;
    let mut staging = Staging::new(kind)?;
    let (bad, notes) = if kind == Kind::Series {
        let series = plimsoll_input::read(&mut input, &options.reading)?;
        staging.call(&series.name);
        options.progress.has_read(series.points.len() as u64)?;
        for point in &series.points {
            options.progress.check_time(point.at)?;
            staging.add_total(point.at.as_millisecond(), signed(point.bytes))?;
        }
        (Bad::default(), series.notes)
    } else {
        stage_relations(&mut input, &staging, options)?
    };
    Ok(Staged {
        of,
        known,
        progress: Arc::clone(&options.progress),
        staging,
        kind,
        bad,
        notes,
    })
}

fn stage_relations(
    input: &mut (impl Read + Seek),
    staging: &Staging,
    options: &Options,
) -> Result<(Bad, Vec<String>), TransferError> {
    // both closures tell of bad lines
    let bad = std::cell::RefCell::new(Bad::default());
    let spoil = |line: u64, at: Option<Timestamp>, reason: &str| -> Result<(), TransferError> {
        bad.borrow_mut().add(line, reason);
        at.map_or(Ok(()), |at| staging.spoil(at.as_millisecond()))
    };
    let mut databases: Vec<String> = Vec::new();
    let notes = plimsoll_input::relations(
        input,
        &options.reading,
        |line, size| {
            options.progress.has_read(1)?;
            if let Some(name) = size.database {
                if options
                    .source_database
                    .as_ref()
                    .is_some_and(|only| only != name)
                {
                    return Ok(());
                }
                if !databases.iter().any(|known| known == name) {
                    databases.push(name.to_owned());
                }
            }
            if let Err(error) = options.progress.check_time(size.at) {
                return spoil(line, Some(size.at), &error.to_string());
            }
            let name = match size.schema {
                Some(schema) => Ok(TableName::new(schema, size.relation)),
                None => size.relation.parse::<TableName>(),
            };
            let Ok(name) = name else {
                return spoil(
                    line,
                    Some(size.at),
                    "its table is neither `table` nor `schema.table`",
                );
            };
            let seen = ImportedSize {
                at: size.at.as_millisecond(),
                schema: name.schema_name,
                relation: name.table_name,
                bytes: signed(size.bytes),
            };
            match staging.add(&seen)? {
                Added::New | Added::Again => Ok(()),
                Added::Otherwise(bytes) => spoil(
                    line,
                    Some(size.at),
                    &format!(
                        "it says {}, and another line {bytes}",
                        counted(unsigned(seen.bytes), "byte")
                    ),
                ),
            }
        },
        |line, at, reason| spoil(line, at, &reason),
    )?;
    let bad = bad.into_inner();
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
    Ok((bad, notes))
}

impl From<Refused> for TransferError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Io(error) => Self::Io(error),
            Refused::Line { number, reason } => Self::Line { number, reason },
            other => Self::Refused(other),
        }
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
