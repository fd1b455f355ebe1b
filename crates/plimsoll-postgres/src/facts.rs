//! The rest of a server's disk: databases, tablespaces, WAL and what keeps it, temporary files, logs.
//!
//! What cannot be read costs itself only, and says why.

mod settings;
mod wal;

use plimsoll_core::Oid;
use plimsoll_core::instance::{DatabaseTotal, Figure, InstanceFacts, Tablespace};
use plimsoll_core::name;
use tokio_postgres::types::Type;

use crate::capacity;
use crate::databases::databases;
use crate::encoding::shown_apart;
use crate::error::VisitError;
use crate::privileges::Privileges;
use crate::raw_text::RawText;
use crate::session::{Param, Session};

use self::settings::Settings;

const PG_DEFAULT: Oid = 1663;
const PG_GLOBAL: Oid = 1664;

/// Reads what the role may see of the server's disk. A figure that it may not see says which grant
/// gives it; nothing is tried that would be refused.
///
/// `known` are database totals that the caller has already. Every file is walked once: on a server
/// without further tablespaces the size of `pg_default` is the sum of its databases (and temporary
/// files), not another walk.
///
/// # Errors
/// When somebody asks to stop. Whatever else happens is the reason of what was not read because of it.
pub async fn facts(session: &Session, known: &[(Oid, u64)]) -> Result<InstanceFacts, VisitError> {
    let may = &figure(Privileges::read(session).await)?;
    let settings = Settings::read(session).await?;
    let databases = figure(databases(session, known).await)?;
    let places = figure(places(session).await)?;
    let temporary = temporary(session, may, &places).await?;
    let tablespaces = match places {
        Figure::Absent(reason) => Figure::Absent(reason),
        Figure::Known(places) => {
            Figure::Known(tablespaces(session, places, &databases, &temporary).await?)
        }
    };
    let mut facts = InstanceFacts {
        databases,
        tablespaces,
        wal: wal::wal(session, may, &settings).await?,
        temporary_bytes: temporary,
        log_bytes: logs(session, may, &settings).await?,
        capacity: Figure::default(),
        log_capacity: Figure::default(),
    };
    let (data, log) = (settings.data_directory(), settings.text("log_directory"));
    capacity::look(session, data, log, &mut facts).await;
    Ok(facts)
}

/// What was read, or why not. Only a request to stop goes through.
pub(crate) fn figure<T>(read: Result<T, VisitError>) -> Result<Figure<T>, VisitError> {
    match read {
        Ok(value) => Ok(Figure::Known(value)),
        Err(error @ VisitError::Cancelled { .. }) => Err(error),
        Err(error) => Ok(Figure::Absent(error.to_string())),
    }
}

/// Why something is not even tried: the grant that it needs, or why it is not known what the role may do.
pub(super) fn refusal(
    may: &Figure<Privileges>,
    allows: impl Fn(&Privileges) -> bool,
    grant: &str,
) -> Option<String> {
    match may {
        Figure::Known(may) if allows(may) => None,
        Figure::Known(_) => Some(grant.to_owned()),
        Figure::Absent(reason) => Some(reason.clone()),
    }
}

/// A number of bytes that one statement reads, or why not: because of `refusal`, or what happened.
pub(super) async fn bytes(
    session: &Session,
    refusal: Option<String>,
    sql: &str,
    params: &[Param<'_>],
) -> Result<Figure<u64>, VisitError> {
    if let Some(reason) = refusal {
        return Ok(Figure::Absent(reason));
    }
    let read = async {
        let row = session.one(sql, params).await?;
        session.read::<Option<i64>, _>(&row, 0)
    };
    Ok(match figure(read.await)? {
        Figure::Known(bytes) => bytes
            .and_then(|bytes| u64::try_from(bytes).ok())
            .map_or_else(
                || Figure::Absent("it went away while it was looked at".to_owned()),
                Figure::Known,
            ),
        Figure::Absent(reason) => Figure::Absent(reason),
    })
}

struct Place {
    oid: Oid,
    name: String,
    may_size: bool,
}

impl Place {
    async fn size(&self, session: &Session) -> Result<Figure<u64>, VisitError> {
        let grant = "the role needs pg_read_all_stats, or CREATE on this tablespace";
        bytes(
            session,
            (!self.may_size).then(|| grant.to_owned()),
            include_str!("facts/tablespace_size.sql"),
            &[(&self.oid, Type::OID)],
        )
        .await
    }

    /// Empty for the two that lie in the data directory. The link of another may be gone.
    async fn location(&self, session: &Session) -> Result<Figure<String>, VisitError> {
        if matches!(self.oid, PG_DEFAULT | PG_GLOBAL) {
            return Ok(Figure::Known(String::new()));
        }
        let sql = include_str!("facts/tablespace_location.sql");
        let read = async {
            let row = session.one(sql, &[(&self.oid, Type::OID)]).await?;
            // A path is bytes: written so that they are not lost.
            let RawText(location) = session.read(&row, "location")?;
            Ok(name::of_bytes(location).into_owned())
        };
        figure(read.await)
    }
}

async fn places(session: &Session) -> Result<Vec<Place>, VisitError> {
    let rows = session
        .rows(include_str!("facts/tablespaces.sql"), &[])
        .await?;
    let names = rows.iter().map(|row| {
        let RawText(name) = session.read(row, "name")?;
        Ok((name.to_vec(), session.server_encoding()))
    });
    let names = shown_apart(&names.collect::<Result<Vec<_>, VisitError>>()?);
    rows.iter()
        .zip(names)
        .map(|(row, name)| {
            Ok(Place {
                oid: session.read(row, "oid")?,
                name,
                may_size: session.read(row, "may_size")?,
            })
        })
        .collect()
}

async fn tablespaces(
    session: &Session,
    places: Vec<Place>,
    databases: &Figure<Vec<DatabaseTotal>>,
    temporary: &Figure<u64>,
) -> Result<Vec<Tablespace>, VisitError> {
    let only_builtin = places.len() == 2;
    let mut tablespaces = Vec::with_capacity(places.len());
    for place in places {
        let bytes = match (place.oid, only_builtin, sum(databases), temporary.known()) {
            (PG_DEFAULT, true, Some(total), Some(temporary)) if place.may_size => {
                Figure::Known(total + temporary)
            }
            _ => place.size(session).await?,
        };
        tablespaces.push(Tablespace {
            oid: place.oid,
            location: place.location(session).await?,
            name: place.name,
            bytes,
            capacity: Figure::default(),
        });
    }
    Ok(tablespaces)
}

fn sum(databases: &Figure<Vec<DatabaseTotal>>) -> Option<u64> {
    databases
        .known()?
        .iter()
        .map(|database| database.bytes.known().copied())
        .sum()
}

async fn temporary(
    session: &Session,
    may: &Figure<Privileges>,
    places: &Figure<Vec<Place>>,
) -> Result<Figure<u64>, VisitError> {
    let places = match places {
        Figure::Known(places) => places,
        Figure::Absent(reason) => return Ok(Figure::Absent(reason.clone())),
    };
    let mut total = 0;
    for place in places.iter().filter(|place| place.oid != PG_GLOBAL) {
        let grant = "the role needs pg_monitor, for pg_ls_tmpdir";
        let figure = bytes(
            session,
            refusal(may, |may| may.ls_tmpdir, grant),
            include_str!("facts/tmpdir.sql"),
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
    may: &Figure<Privileges>,
    settings: &Settings,
) -> Result<Figure<u64>, VisitError> {
    if settings
        .text("logging_collector")
        .known()
        .map(String::as_str)
        == Some("off")
    {
        return Ok(Figure::Absent(
            "logging_collector is off: whatever takes the server's log keeps the files".to_owned(),
        ));
    }
    let grant = "the role needs pg_monitor, for pg_ls_logdir";
    bytes(
        session,
        refusal(may, |may| may.ls_logdir, grant),
        include_str!("facts/logdir.sql"),
        &[],
    )
    .await
}
