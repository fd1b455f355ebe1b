//! The listing: which files there are, and whose they are.

use foldhash::{HashMap, HashMapExt};

use plimsoll_core::Oid;
use plimsoll_core::size::Status;
use plimsoll_core::snapshot::{Cost, Unattributed};
use tokio_postgres::types::Type;

use super::{Directory, Unowned, tolerated};
use crate::catalog::{Catalog, FileKey, Slot};
use crate::connecting::Connecting;
use crate::cost;
use crate::error::VisitError;
use crate::files::file_name::{FileName, Fork};
use crate::files::unattributed::Stray;
use crate::progress::{Phase, Progress};
use crate::raw_text::RawText;
use crate::session::Session;
use crate::sizes::{RelationSize, Sizes};
use crate::transactions::Transactions;

/// How often what changed during the visit is looked at again before the visit gives up on it.
const ROUNDS: usize = 5;

/// Progress is told every so many files.
const FILES_A_STEP: u64 = 10_000;

/// The files of the database, as far as they are not yet counted to a relation.
#[derive(Default)]
pub(super) struct Files {
    total_bytes: u64,
    /// Bytes of files with a relation's name that no relation of the catalog owns.
    strays: HashMap<FileKey, Stray>,
    /// Other files, with their bytes.
    server_files: Vec<(Oid, String, u64)>,
    /// Tablespaces whose folder is there and could not be listed.
    unlisted: HashMap<Oid, Status>,
    user_relation_locks: u64,
    seen: u64,
}

impl Files {
    /// Lists one folder after the other; returns the session to go on with. A folder that cannot be listed,
    /// or not in time, costs what is in it. A session that ends is replaced, and its folder listed again.
    pub(super) async fn list(
        &mut self,
        mut session: Session,
        connecting: Connecting<'_>,
        catalog: &Catalog,
        directories: &[Directory],
        (sizes, spent): (&mut Sizes, &mut Cost),
        progress: &dyn Progress,
    ) -> Result<Session, VisitError> {
        let owners = owners(catalog);
        let mut rest = directories.iter();
        let mut next = rest.next();
        while let Some(directory) = next {
            let before = (self.total_bytes, self.server_files.len());
            let listed = self
                .list_folder(&session, directory, &owners, sizes, progress)
                .await;
            let Err(error) = listed else {
                next = rest.next();
                continue;
            };
            self.forget(directory.tablespace, before, catalog, sizes);
            if let Some(status) = tolerated(&error) {
                self.unlisted.insert(directory.tablespace, status);
                if self.unlisted.len() == directories.len() {
                    // Not one: it is the role, or the server.
                    return Err(error);
                }
                next = rest.next();
                continue;
            }
            cost::add(spent, &session.cost());
            session.close().await;
            session = match connecting.again(error).await {
                Ok(session) => session,
                Err(error) => {
                    let unlisted = std::iter::once(directory).chain(rest);
                    let unlisted = unlisted.map(|it| (it.tablespace, Status::TimedOut));
                    self.unlisted.extend(unlisted);
                    return Err(error);
                }
            };
        }
        Ok(session)
    }

    async fn list_folder(
        &mut self,
        session: &Session,
        directory: &Directory,
        owners: &HashMap<FileKey, Slot>,
        sizes: &mut Sizes,
        progress: &dyn Progress,
    ) -> Result<(), VisitError> {
        let expected = owners.len() as u64;
        let sql = include_str!("list.sql");
        let params = [(&directory.path as _, Type::TEXT)];
        session
            .stream(sql, &params, |row| {
                let Some(name) = session.read::<Option<RawText<'_>>, _>(&row, 0)? else {
                    let locks: i64 = session.read(&row, 1)?;
                    self.user_relation_locks = self.user_relation_locks.max(locks.unsigned_abs());
                    return Ok(());
                };
                self.seen += 1;
                if self.seen.is_multiple_of(FILES_A_STEP) {
                    progress.at(Phase::Sizing(self.seen.min(expected), expected));
                }
                // Gone since its folder was read: nobody's bytes. Whether it should be there is found out
                // at the end.
                let Some(bytes) = session.read::<Option<i64>, _>(&row, 1)? else {
                    return Ok(());
                };
                let bytes = bytes.unsigned_abs();
                self.total_bytes += bytes;
                let Some(file) = FileName::parse(name.0) else {
                    let name = name.text().into_owned();
                    self.server_files.push((directory.tablespace, name, bytes));
                    return Ok(());
                };
                let key = file.key(directory.tablespace);
                match owners.get(&key) {
                    Some(slot) => sizes.add(*slot, bytes, file.fork == Fork::Main),
                    None => self.strays.entry(key).or_default().add(bytes),
                }
                Ok(())
            })
            .await
    }

    /// Takes back what was counted of a folder that was not listed to its end.
    fn forget(
        &mut self,
        tablespace: Oid,
        (total_bytes, server_files): (u64, usize),
        catalog: &Catalog,
        sizes: &mut Sizes,
    ) {
        self.total_bytes = total_bytes;
        self.server_files.truncate(server_files);
        self.strays.retain(|key, _| key.tablespace != tablespace);
        for (slot, relation) in catalog.slots() {
            if relation.filenode != 0 && relation.tablespace == tablespace {
                sizes.set(slot, RelationSize::NOT_YET);
            }
        }
    }

    /// Bytes of all files: `pg_database_size`. None if a folder could not be listed.
    pub(super) fn total_bytes(&self) -> Option<u64> {
        self.is_whole().then_some(self.total_bytes)
    }

    pub(super) const fn user_relation_locks(&self) -> u64 {
        self.user_relation_locks
    }

    /// What belongs to no relation, by cause.
    pub(super) fn unattributed(
        &self,
        unowned: &mut Unowned,
        transactions: &Transactions,
        directories: &[Directory],
    ) -> Vec<Unattributed> {
        let path = |tablespace| {
            let mut of = directories.iter();
            of.find(|directory| directory.tablespace == tablespace)
                .map_or("", |directory| &*directory.path)
        };
        unowned.explain(&self.strays, &self.server_files, transactions, path)
    }

    /// Whether every folder of the database was listed.
    pub(super) fn is_whole(&self) -> bool {
        self.unlisted.is_empty()
    }

    /// Whether a tablespace's folder was listed, or why not.
    pub(super) fn listed(&self, tablespace: Oid) -> Status {
        self.unlisted
            .get(&tablespace)
            .copied()
            .unwrap_or(Status::Ok)
    }

    /// Looks again at what was created, rewritten or dropped while the files were listed, until
    /// nothing changes in between. What changes each time is given up with status `timed_out`.
    ///
    /// Returns the transactions from before it looked: whoever had ended by then has its relations in the
    /// catalog.
    pub(super) async fn catch_up(
        &mut self,
        session: &Session,
        catalog: &mut Catalog,
        sizes: &mut Sizes,
        directories: &[Directory],
    ) -> Result<Transactions, VisitError> {
        let transactions = Transactions::read(session).await?;
        if transactions.snapshot == catalog.snapshot() {
            return Ok(transactions);
        }
        for round in 0..=ROUNDS {
            let changed = catalog.changed(session).await?;
            for slot in changed.dropped {
                if !sizes.is_gone(slot) {
                    self.release(catalog, sizes, slot, Status::Dropped);
                }
            }
            for slot in changed.altered.iter().filter_map(|oid| catalog.slot(*oid)) {
                self.release(catalog, sizes, slot, Status::TimedOut);
            }
            if changed.altered.is_empty() || round == ROUNDS {
                break;
            }
            catalog.read_again(session, &changed.altered).await?;
            sizes.grow(catalog);
            self.list_some(session, catalog, sizes, &changed.altered, directories)
                .await?;
        }
        Ok(transactions)
    }

    /// What was counted to a relation belongs to nobody now.
    fn release(&mut self, catalog: &Catalog, sizes: &mut Sizes, slot: Slot, status: Status) {
        if let Some(key) = catalog.file_key(catalog.relation(slot)) {
            self.strays
                .entry(key)
                .or_default()
                .add(sizes.get(slot).bytes);
        }
        sizes.set(slot, RelationSize::unread(status));
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
            let Some(key) = catalog.file_key(relation) else {
                // A partitioned table.
                sizes.set(slot, RelationSize::measured(0, 0));
                continue;
            };
            match self.listed(relation.tablespace) {
                Status::Ok => {
                    wanted.insert(key, slot);
                    sizes.set(slot, RelationSize::LISTED);
                    if let Some(stray) = self.strays.remove(&key) {
                        self.total_bytes = self.total_bytes.saturating_sub(stray.bytes);
                    }
                }
                status => sizes.set(slot, RelationSize::unread(status)),
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
            let sql = include_str!("list_some.sql");
            let params = [
                (&directory.path as _, Type::TEXT),
                (&names as _, Type::TEXT_ARRAY),
            ];
            session
                .stream(sql, &params, |row| {
                    let name: RawText<'_> = session.read(&row, 0)?;
                    let Some(bytes) = session.read::<Option<i64>, _>(&row, 1)? else {
                        return Ok(());
                    };
                    let bytes = bytes.unsigned_abs();
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
