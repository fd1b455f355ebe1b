//! What a pulse leaves to visits: each database in each tablespace, and the rest of the data directory.

use std::collections::BTreeMap;

use jiff::Timestamp;
use plimsoll_core::Oid;
use plimsoll_core::disk::layout::Place;
use plimsoll_core::disk::part::{Kind, Part, Source};
use plimsoll_core::instance::Figure;
use tokio_postgres::types::Type;

use super::look::{NO_FILES, ServerNow, Settings, fact, in_tablespaces, unsigned};
use super::{GONE, Tablespace, places};
use crate::databases::databases;
use crate::error::VisitError;
use crate::privileges::Privileges;
use crate::session::{Param, Session};

/// `database`, `global`, `transaction_status` and `other_in_data_directory`, each with the place that it lies on.
///
/// With the method *files* a database is known in each tablespace. Else it is known as a whole where it can lie in one
/// only, and where there are more the tablespaces are known: a part named after it, that is no database's.
///
/// # Errors
/// Only what ends the session.
pub async fn rest_of_disk(
    session: &Session,
    now: Timestamp,
) -> Result<Vec<(Place, Part)>, VisitError> {
    let server = ServerNow::read(session).await?;
    let mut parts = if server.may_files {
        in_files(session, now).await?
    } else {
        Vec::new()
    };
    if parts.is_empty() {
        parts = by_functions(session, now).await?;
    }
    if server.may_files {
        let settings = Settings::read(session).await?;
        parts.extend(
            directory(
                session,
                settings.text("log_directory").unwrap_or("log"),
                now,
            )
            .await?,
        );
    } else {
        parts.push((Place::Data, global(session, now).await?));
        for kind in [Kind::TransactionStatus, Kind::OtherInDataDirectory] {
            parts.push((Place::Data, Part::unknown(kind, None, NO_FILES)));
        }
    }
    Ok(parts)
}

/// Each database in each tablespace; none where the walk was refused.
async fn in_files(session: &Session, now: Timestamp) -> Result<Vec<(Place, Part)>, VisitError> {
    let names = places(session).await?;
    let major = i32::try_from(session.server().major()).unwrap_or(0);
    let sql = in_tablespaces(include_str!("databases.sql"));
    let params: [Param<'_>; 1] = [(&major, Type::INT4)];
    let found = fact(session, &sql, &params, |rows| {
        rows.iter()
            .map(|row| {
                let tablespace: Oid = session.read(row, "tablespace")?;
                let name = session.shared_text(row, "name")?;
                let part = match unsigned(session, row, "bytes")? {
                    Some(bytes) => {
                        Part::measured(Kind::Database, Some(&name), bytes, Source::Files, now)
                    }
                    None => Part::unknown(Kind::Database, Some(&of_tablespace(&name)), GONE),
                };
                Ok((place(&names, tablespace), part))
            })
            .collect::<Result<Vec<_>, VisitError>>()
    });
    Ok(found.await?.known().cloned().unwrap_or_default())
}

async fn by_functions(session: &Session, now: Timestamp) -> Result<Vec<(Place, Part)>, VisitError> {
    let names = places(session).await?;
    let part = |name: &str, figure: &Figure<u64>| match figure {
        Figure::Known(bytes) => {
            Part::measured(Kind::Database, Some(name), *bytes, Source::Functions, now)
        }
        Figure::Absent(reason) => Part::unknown(Kind::Database, Some(name), reason.clone()),
    };
    if names.len() == 1 {
        let databases = databases(session, &[]).await?;
        return Ok(databases
            .iter()
            .map(|database| (Place::Data, part(&database.name, &database.bytes)))
            .collect());
    }
    let may = Privileges::read(session).await?;
    let mut parts = Vec::new();
    for space in &names {
        let figure = tablespace(session, &may, space.oid, may.ls_tmpdir).await?;
        let name = of_tablespace(&space.name);
        parts.push((place(&names, space.oid), part(&name, &figure)));
    }
    Ok(parts)
}

/// A tablespace without its temporary files, which `pg_tablespace_size` counts and a pulse does, too. It also counts
/// what folders themselves have, some kilobytes each: there is no way to tell.
async fn tablespace(
    session: &Session,
    may: &Privileges,
    oid: Oid,
    less: bool,
) -> Result<Figure<u64>, VisitError> {
    if !may.read_all_stats || !may.tablespace_size {
        return Ok(Figure::Absent(
            "the role needs pg_read_all_stats".to_owned(),
        ));
    }
    let sql = if less {
        include_str!("tablespace_less_temporary.sql")
    } else {
        include_str!("tablespace.sql")
    };
    let params: [Param<'_>; 1] = [(&oid, Type::OID)];
    let found = fact(session, sql, &params, |rows| match rows.first() {
        Some(row) => unsigned(session, row, "bytes"),
        None => Ok(None),
    });
    // a tablespace that was dropped meanwhile, whose folder is not there, or that shrank between two listings
    Ok(match found.await? {
        Figure::Known(Some(bytes)) => Figure::Known(bytes),
        Figure::Known(None) => Figure::Absent("the server does not say its size".to_owned()),
        Figure::Absent(reason) => Figure::Absent(reason),
    })
}

async fn global(session: &Session, now: Timestamp) -> Result<Part, VisitError> {
    let may = Privileges::read(session).await?;
    Ok(match tablespace(session, &may, 1664, false).await? {
        Figure::Known(bytes) => Part::measured(Kind::Global, None, bytes, Source::Functions, now),
        Figure::Absent(reason) => Part::unknown(Kind::Global, None, reason),
    })
}

async fn directory(
    session: &Session,
    log: &str,
    now: Timestamp,
) -> Result<Vec<(Place, Part)>, VisitError> {
    let sql = include_str!("directory.sql");
    let found = fact(session, sql, &[(&log, Type::TEXT)], |rows| {
        let mut sums = BTreeMap::new();
        for row in rows {
            let folder = session.shared_text(row, "folder")?;
            let kind = match folder.as_str() {
                "global" => Kind::Global,
                "pg_xact" | "pg_multixact" | "pg_subtrans" | "pg_commit_ts" => {
                    Kind::TransactionStatus
                }
                _ => Kind::OtherInDataDirectory,
            };
            *sums.entry(kind).or_insert(0) += unsigned(session, row, "bytes")?.unwrap_or(0);
        }
        Ok(sums)
    })
    .await?;
    Ok([
        Kind::Global,
        Kind::TransactionStatus,
        Kind::OtherInDataDirectory,
    ]
    .map(|kind| {
        let part = match &found {
            Figure::Known(sums) => Part::measured(
                kind,
                None,
                sums.get(&kind).copied().unwrap_or(0),
                Source::Files,
                now,
            ),
            Figure::Absent(reason) => Part::unknown(kind, None, reason.clone()),
        };
        (Place::Data, part)
    })
    .into())
}

/// The part of all that databases have in a tablespace.
fn of_tablespace(name: &str) -> String {
    format!("tablespace {name}")
}

fn place(names: &[Tablespace], tablespace: Oid) -> Place {
    let named = names.iter().find(|space| space.oid == tablespace);
    named.map_or(Place::Data, |space| Place::of_tablespace(&space.name))
}
