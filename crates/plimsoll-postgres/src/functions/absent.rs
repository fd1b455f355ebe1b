//! What *functions* can know of files that are not there. To the size functions no file is an empty one.

use std::collections::BTreeSet;

use plimsoll_core::Oid;
use plimsoll_core::size::Status;
use plimsoll_core::snapshot::Persistence;
use tokio_postgres::types::Type;

use crate::catalog::{Catalog, Kind, Relation};
use crate::counters::RowCounts;
use crate::error::VisitError;
use crate::session::Session;
use crate::sizes::{Sizes, status_of};

/// Always there, or there would be no connection.
const PG_DEFAULT: Oid = 1663;

/// Says `missing` of what was read as empty and cannot be. Returns whether the server's own total covers all
/// there is: it leaves out, without a word, a tablespace's folder that it cannot read.
pub(crate) async fn mark_missing(
    session: &Session,
    catalog: &Catalog,
    counts: &RowCounts,
    sizes: &mut Sizes,
) -> Result<bool, VisitError> {
    let folders = Folders::look(session, catalog).await?;
    sizes.doubt(catalog, |relation, found| {
        let is_missing = folders.without_files.contains(&relation.tablespace)
            || found.main_bytes == 0 && is_never_empty(catalog, counts, relation);
        if is_missing {
            Status::Missing
        } else {
            Status::Ok
        }
    });
    Ok(folders.all_readable)
}

/// The tablespaces of the catalog, as far as the server may look into them.
struct Folders {
    /// Where the database has no file, though it has relations there: each of them has one.
    without_files: Vec<Oid>,
    all_readable: bool,
}

impl Folders {
    async fn look(session: &Session, catalog: &Catalog) -> Result<Self, VisitError> {
        let tablespaces: BTreeSet<Oid> = catalog
            .relations()
            .iter()
            .filter(|relation| relation.filenode != 0 && relation.tablespace != PG_DEFAULT)
            .map(|relation| relation.tablespace)
            .collect();
        let mut folders = Self {
            without_files: Vec::new(),
            all_readable: true,
        };
        let tablespaces: Vec<Oid> = tablespaces.into_iter().collect();
        if tablespaces.is_empty() {
            return Ok(folders);
        }
        match without_files(session, &tablespaces).await {
            Ok(found) => folders.without_files = found,
            // One that cannot be read, unless the role may not ask at all.
            Err(error) if error.session_lives() => {
                tracing::debug!(reason = %error, "storage.sizing.folders_not_read");
                if !may_look(session).await? {
                    return Ok(folders);
                }
                for tablespace in tablespaces {
                    match without_files(session, &[tablespace]).await {
                        Ok(found) => folders.without_files.extend(found),
                        Err(error) if status_of(&error).is_some() => folders.all_readable = false,
                        Err(error) => return Err(error),
                    }
                }
            }
            Err(VisitError::TimedOut { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(folders)
    }
}

async fn without_files(session: &Session, of: &[Oid]) -> Result<Vec<Oid>, VisitError> {
    let params = [
        (&of as _, Type::OID_ARRAY),
        (&session.database_oid() as _, Type::OID),
    ];
    let rows = session.rows(include_str!("folders.sql"), &params).await?;
    rows.iter().map(|row| session.read(row, 0)).collect()
}

async fn may_look(session: &Session) -> Result<bool, VisitError> {
    let sql = include_str!("may_look.sql");
    session.read(&session.one(sql, &[]).await?, 0)
}

/// Whether it has at least one page, however few rows.
///
/// Every built-in kind of index has a page about itself once it is built, a sequence its one row. A table
/// with pages at the last VACUUM or ANALYZE and rows by now has at least one: TRUNCATE and whatever else
/// empties a table sets its pages to 0, and so are the counters of an unlogged one after a crash.
fn is_never_empty(catalog: &Catalog, counts: &RowCounts, relation: &Relation) -> bool {
    if relation.persistence == Persistence::Temporary {
        return false;
    }
    match relation.kind {
        Kind::Sequence => true,
        Kind::Index => {
            let is_built_in = catalog.access_method(relation).is_some_and(|name| {
                matches!(
                    &**name,
                    "btree" | "hash" | "gist" | "spgist" | "gin" | "brin"
                )
            });
            // One that CREATE INDEX CONCURRENTLY has only begun is empty.
            relation.is_valid && is_built_in
        }
        Kind::Table | Kind::Matview => {
            relation.persistence == Persistence::Permanent
                && relation.pages > 0
                && counts
                    .counted(relation.oid)
                    .is_some_and(|(live, _)| live > 0)
        }
        Kind::Toast | Kind::Partitioned => false,
    }
}
