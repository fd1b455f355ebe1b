//! The rest of a server's disk: databases, tablespaces, WAL and what keeps it, temporary files, logs.

mod wal;

use std::collections::BTreeMap;
use std::path::PathBuf;

use plimsoll_core::Oid;
use plimsoll_core::instance::{DatabaseTotal, Figure, InstanceFacts, Tablespace};
use tokio_postgres::types::Type;

use crate::capacity;
use crate::databases::databases;
use crate::error::VisitError;
use crate::privileges::Privileges;
use crate::session::{Param, Session};

const PG_DEFAULT: Oid = 1663;
const PG_GLOBAL: Oid = 1664;

/// Reads what the role may see of the server's disk. A figure that it may not see says which grant
/// gives it; nothing is tried that would be refused.
///
/// `known` are database totals that the caller has already. Every file is walked once: on a server
/// without further tablespaces the size of `pg_default` is the sum of its databases (and temporary
/// files), not another walk.
pub async fn facts(session: &Session, known: &[(Oid, u64)]) -> Result<InstanceFacts, VisitError> {
    let may = Privileges::read(session).await?;
    let settings = Settings::read(session).await?;
    let databases = databases(session, known).await?;
    let places = places(session).await?;
    let temporary = temporary(session, &may, &places).await?;
    let mut tablespaces = Vec::with_capacity(places.len());
    let only_builtin = places.len() == 2;
    for place in places {
        let bytes = match (place.oid, only_builtin, sum(&databases)) {
            (PG_DEFAULT, true, Some(total)) if place.may_size => {
                Figure::Known(total + temporary.known().copied().unwrap_or(0))
            }
            _ => place.size(session).await?,
        };
        tablespaces.push(Tablespace {
            oid: place.oid,
            name: place.name,
            location: place.location,
            bytes,
            capacity: Figure::default(),
        });
    }
    let mut facts = InstanceFacts {
        databases,
        tablespaces,
        wal: wal::wal(session, &may, &settings).await?,
        temporary_bytes: temporary,
        log_bytes: logs(session, &may, &settings).await?,
        capacity: Figure::default(),
    };
    capacity::look(session, settings.data_directory(), &mut facts);
    Ok(facts)
}

/// Settings by name, with their units; those that the role may not see are missing.
pub(crate) struct Settings(BTreeMap<String, (String, Option<String>)>);

impl Settings {
    async fn read(session: &Session) -> Result<Self, VisitError> {
        let mut settings = BTreeMap::new();
        for row in session
            .rows(include_str!("facts/settings.sql"), &[])
            .await?
        {
            settings.insert(
                session.read(&row, "name")?,
                (session.read(&row, "setting")?, session.read(&row, "unit")?),
            );
        }
        Ok(Self(settings))
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|(text, _)| text.as_str())
    }

    pub(crate) fn bytes(&self, name: &str) -> Option<u64> {
        let (text, unit) = self.0.get(name)?;
        let unit = match unit.as_deref()? {
            "B" => 1,
            "kB" => 1 << 10,
            "8kB" => 8 << 10,
            "MB" => 1 << 20,
            _ => return None,
        };
        text.parse::<u64>().ok()?.checked_mul(unit)
    }

    fn data_directory(&self) -> Option<PathBuf> {
        self.text("data_directory").map(PathBuf::from)
    }
}

/// A number of bytes that one statement reads, or why not. Only what ends the session is an error.
pub(crate) async fn bytes(
    session: &Session,
    may: bool,
    grant: &str,
    sql: &str,
    params: &[Param<'_>],
) -> Result<Figure<u64>, VisitError> {
    if !may {
        return Ok(Figure::Absent(grant.to_owned()));
    }
    match session.one(sql, params).await {
        Ok(row) => {
            let bytes: Option<i64> = session.read(&row, 0)?;
            Ok(bytes
                .and_then(|bytes| u64::try_from(bytes).ok())
                .map_or_else(
                    || Figure::Absent("it went away while it was looked at".to_owned()),
                    Figure::Known,
                ))
        }
        Err(error) if error.session_lives() => Ok(Figure::Absent(error.to_string())),
        Err(error) => Err(error),
    }
}

struct Place {
    oid: Oid,
    name: String,
    location: String,
    may_size: bool,
}

impl Place {
    async fn size(&self, session: &Session) -> Result<Figure<u64>, VisitError> {
        bytes(
            session,
            self.may_size,
            "the role needs pg_read_all_stats, or CREATE on this tablespace",
            include_str!("facts/tablespace_size.sql"),
            &[(&self.oid, Type::OID)],
        )
        .await
    }
}

async fn places(session: &Session) -> Result<Vec<Place>, VisitError> {
    let rows = session
        .rows(include_str!("facts/tablespaces.sql"), &[])
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Place {
                oid: session.read(row, "oid")?,
                name: session.read(row, "name")?,
                location: session.read(row, "location")?,
                may_size: session.read(row, "may_size")?,
            })
        })
        .collect()
}

fn sum(databases: &[DatabaseTotal]) -> Option<u64> {
    databases
        .iter()
        .map(|database| database.bytes.known().copied())
        .sum()
}

async fn temporary(
    session: &Session,
    may: &Privileges,
    places: &[Place],
) -> Result<Figure<u64>, VisitError> {
    let mut total = 0;
    for place in places.iter().filter(|place| place.oid != PG_GLOBAL) {
        let grant = "the role needs pg_monitor, for pg_ls_tmpdir";
        let sql = include_str!("facts/tmpdir.sql");
        let figure = bytes(
            session,
            may.ls_tmpdir,
            grant,
            sql,
            &[(&place.oid, Type::OID)],
        )
        .await?;
        match figure {
            Figure::Known(bytes) => total += bytes,
            absent @ Figure::Absent(_) => return Ok(absent),
        }
    }
    Ok(Figure::Known(total))
}

async fn logs(
    session: &Session,
    may: &Privileges,
    settings: &Settings,
) -> Result<Figure<u64>, VisitError> {
    if settings.text("logging_collector") == Some("off") {
        return Ok(Figure::Absent(
            "logging_collector is off: whatever takes the server's log keeps the files".to_owned(),
        ));
    }
    let grant = "the role needs pg_monitor, for pg_ls_logdir";
    bytes(
        session,
        may.ls_logdir,
        grant,
        include_str!("facts/logdir.sql"),
        &[],
    )
    .await
}
