//! What is forecast: its names, its series, and how far it may grow.

use plimsoll_core::instance::Tablespace;
use plimsoll_core::snapshot::Snapshot;
use plimsoll_store::{DatabaseKey, PartKind, Store, TableName};

use super::reads::{self, Series};
use super::{ForecastError, ForecastOf, shares};
use crate::selection::Gone;

/// What a forecast turned out to be of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A database's total.
    Database,
    /// All tables of a schema.
    Schema,
    /// A table.
    Table,
    /// A parent with everything below it.
    Set,
    /// The database's part of a tablespace.
    Tablespace,
    /// All watched databases of an instance.
    Instance,
    /// A series of which nothing else is known.
    File,
}

/// What a forecast is of; what it is not about is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// What it is.
    pub kind: Kind,
    /// The configured name of the instance.
    pub instance: Option<String>,
    /// The database.
    pub database: Option<String>,
    /// The schema, or the table's.
    pub schema_name: Option<String>,
    /// The table's name now, or its last one.
    pub table_name: Option<String>,
    /// The tablespace.
    pub tablespace: Option<String>,
}

impl Subject {
    /// A series of which nothing else is known.
    pub(super) const fn file() -> Self {
        Self {
            kind: Kind::File,
            instance: None,
            database: None,
            schema_name: None,
            table_name: None,
            tablespace: None,
        }
    }
}

/// What was found of a subject.
pub(super) struct FoundSubject {
    pub(super) subject: Subject,
    pub(super) series: Series,
    /// When it was last seen, where it is there no more: then nothing is forecast.
    pub(super) gone: Option<Gone>,
    /// Of a part of a database: the whole and the other parts, which its forecast is made to agree with.
    pub(super) among: Option<(Series, Vec<Series>)>,
}

/// Finds what is asked for, and reads its series.
pub(super) async fn find(
    store: &dyn Store,
    of: &DatabaseKey,
    what: &ForecastOf,
    snapshot: Result<&Snapshot, &str>,
) -> Result<FoundSubject, ForecastError> {
    let mut subject = Subject {
        instance: Some(of.instance.clone()),
        database: Some(of.database.clone()),
        ..Subject::file()
    };
    let mut gone = None;
    let series = match what {
        ForecastOf::Database => {
            subject.kind = Kind::Database;
            reads::database(store, of).await?
        }
        ForecastOf::Schema(name) => {
            let (found, series) = reads::schema(store, of, name).await?;
            subject.kind = Kind::Schema;
            subject.schema_name = Some(found.name);
            gone = found.gone;
            series
        }
        ForecastOf::Table(name) => {
            let (found, series) = reads::table(store, of, name).await?;
            subject.kind = match found.set {
                Some(_) => Kind::Set,
                None => Kind::Table,
            };
            gone = found.gone;
            subject.schema_name = Some(found.name.schema_name);
            subject.table_name = Some(found.name.table_name);
            series
        }
        ForecastOf::Tablespace(name) => {
            subject.kind = Kind::Tablespace;
            subject.tablespace = Some(name.clone());
            let snapshot = snapshot.map_err(|reason| ForecastError::NoVisit {
                tablespace: name.clone(),
                reason: reason.to_owned(),
            })?;
            let oid = tablespace(snapshot, name)
                .ok_or_else(|| ForecastError::UnknownTablespace(name.clone()))?
                .oid;
            let whole = reads::whole_database(store, of).await?;
            let (own, others) =
                shares::in_tablespace(store, of, snapshot, oid, whole.clone()).await?;
            return Ok(FoundSubject {
                subject,
                series: own,
                gone,
                among: Some((whole.cut(), others)),
            });
        }
        ForecastOf::Instance => {
            subject.kind = Kind::Instance;
            subject.database = None;
            reads::instance(&reads::databases(store, &of.instance).await?)
        }
    };
    Ok(FoundSubject {
        subject,
        series,
        gone,
        among: None,
    })
}

/// Which of the forecasts that are made to agree it is.
pub(super) fn part(subject: &Subject) -> Option<(PartKind, TableName)> {
    let kind = match subject.kind {
        Kind::Database => PartKind::Database,
        Kind::Schema => PartKind::Schema,
        Kind::Set => PartKind::Set,
        Kind::Table => PartKind::Table,
        // Its forecast is moved by what moves the database's.
        Kind::Tablespace => PartKind::Database,
        Kind::Instance | Kind::File => return None,
    };
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let name = TableName::new(text(&subject.schema_name), text(&subject.table_name));
    Some((kind, name))
}

fn tablespace<'a>(snapshot: &'a Snapshot, name: &str) -> Option<&'a Tablespace> {
    let mut spaces = snapshot.facts.tablespaces.each().iter();
    spaces.find(|space| space.name == name)
}
