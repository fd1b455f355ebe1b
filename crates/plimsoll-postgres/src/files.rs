//! The method *files*: lists and stats the database's data files and joins them to the catalog.
//!
//! No relation is opened and no relation lock is taken. The catalog comes first, the files second;
//! when a transaction ended in between, what it created, rewrote or dropped is looked at again, so
//! that no file is counted to a relation that no longer owns it.
//!
//! A folder that cannot be listed, or not in time, costs the relations in it. What has storage and no main
//! fork in a folder that was listed is missing: its file was lost, or its tablespace is not mounted.

mod file_name;
mod listing;
mod unattributed;

use plimsoll_core::Oid;
use plimsoll_core::size::Status;
use plimsoll_core::snapshot::{Cost, Persistence, Unattributed};
use tokio_postgres::types::Type;

use crate::catalog::{Catalog, Relation};
use crate::connecting::Connecting;
use crate::cost;
use crate::error::VisitError;
use crate::files::listing::Files;
use crate::progress::Progress;
use crate::session::Session;
use crate::sizes::{Sizes, status_of};

pub(crate) use crate::files::unattributed::Unowned;

/// What *files* knows besides the relations' sizes.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Bytes of all files: `pg_database_size`. None if a folder could not be listed.
    pub total_bytes: Option<u64>,
    /// Files of relations that nobody owns, and the server's own. None if a folder could not be listed.
    pub unattributed: Option<Vec<Unattributed>>,
    /// Most locks on user relations that the listing's own transaction held.
    pub user_relation_locks: u64,
}

/// Where what is found goes.
pub(crate) struct Output<'a> {
    pub sizes: &'a mut Sizes,
    pub spent: &'a mut Cost,
    pub unowned: &'a mut Unowned,
}

/// Sizes every relation; returns the session to go on with. When an error ends the visit's last session, the
/// folders that were listed until then have been.
pub(crate) async fn size(
    session: Session,
    connecting: Connecting<'_>,
    catalog: &mut Catalog,
    output: Output<'_>,
    progress: &dyn Progress,
) -> Result<(Session, Listing), VisitError> {
    let Output {
        sizes,
        spent,
        unowned,
    } = output;
    let (session, directories) = match directories(&session).await {
        Ok(directories) => (session, directories),
        Err(error) if status_of(&error).is_some() => return Err(error),
        Err(error) => {
            cost::add(spent, &session.cost());
            session.close().await;
            let session = connecting.again(error).await?;
            let directories = directories(&session).await?;
            (session, directories)
        }
    };
    let mut files = Files::default();
    let listed = files
        .list(
            session,
            connecting,
            catalog,
            &directories,
            (sizes, spent),
            progress,
        )
        .await;
    // What is in none of the folders, since its tablespace has none, was looked for in all there are.
    sizes.settle(catalog, |tablespace| files.listed(tablespace));
    let (session, transactions) = match listed {
        Ok(session) => match files.catch_up(&session, catalog, sizes, &directories).await {
            Ok(transactions) => (Ok(session), Some(transactions)),
            Err(error) if tolerated(&error).is_some() => (Ok(session), None),
            Err(error) => (Err(error), None),
        },
        Err(error) => (Err(error), None),
    };
    let in_recovery = session
        .as_ref()
        .is_ok_and(|session| session.server().in_recovery);
    sizes.doubt(catalog, |relation, found| match transactions {
        _ if found.has_main => Status::Ok,
        Some(_) => without_main(relation, in_recovery),
        // It may be what was dropped or rewritten in between.
        None => Status::TimedOut,
    });
    let session = session?;
    let unattributed = transactions
        .filter(|_| files.is_whole())
        .map(|transactions| files.unattributed(unowned, &transactions, &directories));
    let listing = Listing {
        total_bytes: files.total_bytes(),
        unattributed,
        user_relation_locks: files.user_relation_locks(),
    };
    Ok((session, listing))
}

/// What it means that a relation with storage has no main fork in a folder that was listed.
const fn without_main(relation: &Relation, in_recovery: bool) -> Status {
    match relation.persistence {
        // On a standby it has its init fork only, until that is promoted.
        Persistence::Unlogged if in_recovery => Status::Ok,
        // The server removes files of temporary relations when it starts, and their sessions' rows stay.
        Persistence::Temporary => Status::Ok,
        _ => Status::Missing,
    }
}

/// The status of what an error leaves unread, which is logged; none if the session is over or the visit shall stop.
fn tolerated(error: &VisitError) -> Option<Status> {
    let status = status_of(error)?;
    tracing::warn!(reason = %error, "storage.sizing.files_not_read");
    Some(status)
}

/// A folder of the database, relative to the data directory.
struct Directory {
    tablespace: Oid,
    path: String,
}

/// The folders that are there. Where that cannot be asked of one of them, each is tried.
async fn directories(session: &Session) -> Result<Vec<Directory>, VisitError> {
    match directories_if(session, false).await {
        Err(error) if error.session_lives() => directories_if(session, true).await,
        directories => directories,
    }
}

async fn directories_if(session: &Session, any: bool) -> Result<Vec<Directory>, VisitError> {
    let sql = include_str!("files/directories.sql");
    let major = i32::try_from(session.server().major()).unwrap_or(i32::MAX);
    let params = [
        (&session.database_oid() as _, Type::OID),
        (&major as _, Type::INT4),
        (&any as _, Type::BOOL),
    ];
    session
        .rows(sql, &params)
        .await?
        .iter()
        .map(|row| {
            Ok(Directory {
                tablespace: session.read(row, 0)?,
                path: session.read(row, 1)?,
            })
        })
        .collect()
}
