//! Every database of a server with its total, each tolerated on its own.

use std::cmp::Reverse;

use plimsoll_core::Oid;
use plimsoll_core::instance::{DatabaseTotal, Figure};
use tokio_postgres::types::Type;

use crate::error::VisitError;
use crate::session::Session;

/// Every database, largest first, unknown sizes last.
///
/// `known` are totals that the caller has already, so that the server does not walk those files
/// again. A database that is forbidden, half dropped or just going costs only its own figure.
pub async fn databases(
    session: &Session,
    known: &[(Oid, u64)],
) -> Result<Vec<DatabaseTotal>, VisitError> {
    let sql = include_str!("databases/databases.sql");
    let names = session.database_names().await?;
    let mut databases = Vec::new();
    for row in session.rows(sql, &[]).await? {
        let oid: Oid = session.read(&row, "oid")?;
        // One that was created between the two statements is seen by the next visit.
        let Some((_, bytes_of_name, name)) = names.iter().find(|(named, ..)| *named == oid) else {
            continue;
        };
        let may_size: bool = session.read(&row, "may_size")?;
        let is_invalid: bool = session.read(&row, "is_invalid")?;
        let bytes = match known.iter().find(|(known, _)| *known == oid) {
            Some((_, bytes)) => Figure::Known(*bytes),
            None if may_size => size(session, oid, is_invalid).await?,
            None => Figure::Absent(
                "the role needs CONNECT on this database, or pg_read_all_stats".to_owned(),
            ),
        };
        databases.push(DatabaseTotal {
            oid,
            name: name.clone(),
            connect_name: plimsoll_core::name::of_bytes(bytes_of_name).into_owned(),
            bytes,
            allows_connections: session.read(&row, "allows_connections")?,
            is_template: session.read(&row, "is_template")?,
        });
    }
    databases.sort_by_cached_key(|database| {
        (
            Reverse(database.bytes.known().copied()),
            database.name.clone(),
        )
    });
    Ok(databases)
}

async fn size(session: &Session, oid: Oid, is_invalid: bool) -> Result<Figure<u64>, VisitError> {
    let sql = include_str!("databases/size.sql");
    let read = async {
        let row = session.one(sql, &[(&oid, Type::OID)]).await?;
        session.read::<Option<i64>, _>(&row, "bytes")
    };
    let answer = match read.await {
        Ok(answer) => answer,
        Err(error @ VisitError::Cancelled { .. }) => return Err(error),
        // A database that went away is an error on some versions, and null on others.
        Err(_) if is_invalid => {
            return Ok(Figure::Absent(
                "it is invalid: its DROP DATABASE did not finish; drop it again".to_owned(),
            ));
        }
        Err(error) => return Ok(Figure::Absent(error.to_string())),
    };
    Ok(answer
        .and_then(|bytes| u64::try_from(bytes).ok())
        .map_or_else(
            || Figure::Absent("it was dropped while it was looked at".to_owned()),
            Figure::Known,
        ))
}
