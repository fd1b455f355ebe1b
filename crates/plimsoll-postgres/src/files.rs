//! The method *files*: lists and stats the database's data files and joins them to the catalog.
//!
//! No relation is opened and no relation lock is taken. The catalog comes first, the files second;
//! when a transaction ended in between, what it created, rewrote or dropped is looked at again, so
//! that no file is counted to a relation that no longer owns it.

mod file_name;
mod unattributed;

use foldhash::{HashMap, HashMapExt};

use plimsoll_core::Oid;
use plimsoll_core::size::Status;
use plimsoll_core::snapshot::Unattributed;
use tokio_postgres::types::Type;

use crate::catalog::{Catalog, FileKey, Slot};
use crate::error::VisitError;
use crate::files::file_name::{FileName, Fork};
use crate::locks::Locks;
use crate::progress::{Phase, Progress};
use crate::raw_text::RawText;
use crate::session::Session;
use crate::sizes::{Found, Sizes};
use crate::transactions::Transactions;

pub(crate) use crate::files::unattributed::Unowned;

/// How often what changed during the visit is looked at again before the visit gives up on it.
const ROUNDS: usize = 5;

/// Progress is told every so many files.
const FILES_A_STEP: u64 = 10_000;

/// What *files* knows besides the relations' sizes.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Bytes of all files: `pg_database_size`.
    pub total_bytes: u64,
    /// Files of relations that nobody owns, and the server's own.
    pub unattributed: Vec<Unattributed>,
    /// Most locks on user relations that the listing's own transaction held.
    pub user_relation_locks: u64,
}

/// Sizes every relation.
pub(crate) async fn size(
    session: &Session,
    catalog: &mut Catalog,
    locks: &Locks,
    sizes: &mut Sizes,
    unowned: &mut Unowned,
    progress: &dyn Progress,
) -> Result<Listing, VisitError> {
    let directories = directories(session).await?;
    let mut files = Files::list(session, catalog, sizes, &directories, progress).await?;
    // From before the catalog is read again: whoever has ended by then has its relations in it.
    let transactions = Transactions::read(session).await?;
    if transactions.snapshot != catalog.snapshot() {
        files
            .catch_up(session, catalog, sizes, &directories)
            .await?;
    }
    for oid in locks.exclusive() {
        if let Some(slot) = catalog.slot(oid) {
            sizes.flag_locked(slot);
        }
    }
    let unattributed = unowned.explain(
        &files.strays,
        &files.server_files,
        &transactions,
        |tablespace| {
            directories
                .iter()
                .find(|directory| directory.tablespace == tablespace)
                .map_or("", |directory| &directory.path)
        },
    );
    Ok(Listing {
        total_bytes: files.total_bytes,
        unattributed,
        user_relation_locks: files.user_relation_locks,
    })
}

/// A folder of the database, relative to the data directory.
struct Directory {
    tablespace: Oid,
    path: String,
}

async fn directories(session: &Session) -> Result<Vec<Directory>, VisitError> {
    let sql = include_str!("files/directories.sql");
    let major = i32::try_from(session.server().major()).unwrap_or(i32::MAX);
    let params = [
        (&session.database_oid() as _, Type::OID),
        (&major as _, Type::INT4),
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

/// The files of the database, as far as they are not yet counted to a relation.
#[derive(Default)]
struct Files {
    total_bytes: u64,
    /// Bytes of files with a relation's name that no relation of the catalog owns.
    strays: HashMap<FileKey, Stray>,
    /// Other files, with their bytes.
    server_files: Vec<(Oid, String, u64)>,
    user_relation_locks: u64,
}

/// The files of what may be a relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Stray {
    pub bytes: u64,
    pub files: u64,
}

impl Files {
    async fn list(
        session: &Session,
        catalog: &Catalog,
        sizes: &mut Sizes,
        directories: &[Directory],
        progress: &dyn Progress,
    ) -> Result<Self, VisitError> {
        let owners = owners(catalog);
        let expected = catalog.relations().len() as u64;
        let mut files = Self::default();
        let mut seen = 0_u64;
        for directory in directories {
            let sql = include_str!("files/list.sql");
            let params = [(&directory.path as _, Type::TEXT)];
            session
                .stream(sql, &params, |row| {
                    let Some(name) = session.read::<Option<RawText<'_>>, _>(&row, 0)? else {
                        let locks = session.read::<Option<i64>, _>(&row, 1)?;
                        let locks = locks.and_then(|locks| u64::try_from(locks).ok());
                        files.user_relation_locks =
                            files.user_relation_locks.max(locks.unwrap_or(0));
                        return Ok(());
                    };
                    seen += 1;
                    if seen.is_multiple_of(FILES_A_STEP) {
                        progress.at(Phase::Sizing(seen.min(expected), expected));
                    }
                    let Some(bytes) = session.read::<Option<i64>, _>(&row, 1)? else {
                        return Ok(());
                    };
                    let bytes = u64::try_from(bytes).unwrap_or(0);
                    files.total_bytes += bytes;
                    let Some(file) = FileName::parse(name.0) else {
                        let name = name.text().into_owned();
                        files.server_files.push((directory.tablespace, name, bytes));
                        return Ok(());
                    };
                    let key = file.key(directory.tablespace);
                    match owners.get(&key) {
                        Some(slot) => sizes.add(*slot, bytes, file.fork == Fork::Main),
                        None => files.strays.entry(key).or_default().add(bytes),
                    }
                    Ok(())
                })
                .await?;
        }
        // What exists without a main file has no bytes there: an unlogged table on a standby.
        sizes.settle();
        Ok(files)
    }

    /// Looks again at what was created, rewritten or dropped while the files were listed, until
    /// nothing changes in between. What changes each time is given up with status `timed_out`.
    async fn catch_up(
        &mut self,
        session: &Session,
        catalog: &mut Catalog,
        sizes: &mut Sizes,
        directories: &[Directory],
    ) -> Result<(), VisitError> {
        for round in 0..=ROUNDS {
            let changed = catalog.changed(session).await?;
            for slot in changed.dropped {
                if !sizes.is_gone(slot) {
                    self.release(catalog, sizes, slot, Status::Dropped);
                }
            }
            for slot in changed.restated.iter().filter_map(|oid| catalog.slot(*oid)) {
                self.release(catalog, sizes, slot, Status::TimedOut);
            }
            if changed.restated.is_empty() || round == ROUNDS {
                break;
            }
            catalog.read_again(session, &changed.restated).await?;
            sizes.grow(catalog);
            self.list_some(session, catalog, sizes, &changed.restated, directories)
                .await?;
        }
        Ok(())
    }

    /// What was counted to a relation belongs to nobody now.
    fn release(&mut self, catalog: &Catalog, sizes: &mut Sizes, slot: Slot, status: Status) {
        if let Some(key) = catalog.file_key(catalog.relation(slot)) {
            self.strays
                .entry(key)
                .or_default()
                .add(sizes.get(slot).bytes);
        }
        sizes.set(slot, Found::unread(status));
    }

    /// Lists the files of some relations again, instead of what was seen of them before.
    async fn list_some(
        &mut self,
        session: &Session,
        catalog: &Catalog,
        sizes: &mut Sizes,
        oids: &[Oid],
        directories: &[Directory],
    ) -> Result<(), VisitError> {
        let mut wanted: HashMap<FileKey, Slot> = HashMap::new();
        for slot in oids.iter().filter_map(|oid| catalog.slot(*oid)) {
            let relation = catalog.relation(slot);
            match catalog.file_key(relation) {
                Some(key) => {
                    wanted.insert(key, slot);
                    sizes.set(slot, Found::measured(0, 0));
                    if let Some(stray) = self.strays.remove(&key) {
                        self.total_bytes = self.total_bytes.saturating_sub(stray.bytes);
                    }
                }
                // A partitioned table.
                None => sizes.set(slot, Found::measured(0, 0)),
            }
        }
        for directory in directories {
            let names: Vec<String> = wanted
                .keys()
                .filter(|key| key.tablespace == directory.tablespace)
                .map(FileName::stem)
                .collect();
            if names.is_empty() {
                continue;
            }
            let sql = include_str!("files/list_some.sql");
            let params = [
                (&directory.path as _, Type::TEXT),
                (&names as _, Type::TEXT_ARRAY),
            ];
            session
                .stream(sql, &params, |row| {
                    let name: RawText<'_> = session.read(&row, 0)?;
                    let bytes = session.read::<Option<i64>, _>(&row, 1)?;
                    let Some(bytes) = bytes.and_then(|bytes| u64::try_from(bytes).ok()) else {
                        return Ok(());
                    };
                    if let Some(file) = FileName::parse(name.0)
                        && let Some(slot) = wanted.get(&file.key(directory.tablespace))
                    {
                        self.total_bytes += bytes;
                        sizes.add(*slot, bytes, file.fork == Fork::Main);
                    }
                    Ok(())
                })
                .await?;
        }
        Ok(())
    }
}

impl Stray {
    fn add(&mut self, bytes: u64) {
        self.bytes += bytes;
        self.files += 1;
    }
}

/// Which relation owns which files.
fn owners(catalog: &Catalog) -> HashMap<FileKey, Slot> {
    let mut owners = HashMap::with_capacity(catalog.relations().len());
    for (slot, relation) in catalog.slots() {
        if let Some(key) = catalog.file_key(relation) {
            owners.insert(key, slot);
        }
    }
    owners
}
