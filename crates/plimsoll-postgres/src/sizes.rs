//! What a visit has found out about each relation's size, while it is under way.

use plimsoll_core::Oid;
use plimsoll_core::size::{Size, Status};

use crate::catalog::{Catalog, Relation, Slot};
use crate::error::VisitError;

/// One entry for each relation of the catalog, in the order of its slots.
#[derive(Debug, Default)]
pub(crate) struct Sizes(Vec<RelationSize>);

/// What is known of one relation's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RelationSize {
    /// Bytes of all forks; 0 unless measured.
    pub bytes: u64,
    /// Bytes of the main fork: what row estimates scale with.
    pub main_bytes: u64,
    pub status: Status,
    pub is_measured: bool,
    /// Whether a file of its main fork was seen: what has storage has one, however empty.
    pub has_main: bool,
}

impl RelationSize {
    /// What holds until a relation's turn comes, and for good if the deadline comes first.
    pub(crate) const NOT_YET: Self = Self::unread(Status::TimedOut);

    /// Its files are being listed: none was seen yet.
    pub(crate) const LISTED: Self = Self {
        has_main: false,
        ..Self::measured(0, 0)
    };

    pub(crate) const fn measured(bytes: u64, main_bytes: u64) -> Self {
        Self {
            bytes,
            main_bytes,
            status: Status::Ok,
            is_measured: true,
            has_main: true,
        }
    }

    pub(crate) const fn unread(status: Status) -> Self {
        Self {
            bytes: 0,
            main_bytes: 0,
            status,
            is_measured: false,
            has_main: false,
        }
    }

    /// As the snapshot shows it.
    pub(crate) fn size(&self, relation: &Relation, block_size: u64) -> Size {
        if self.is_measured {
            return Size::measured(self.bytes);
        }
        // What is gone occupies nothing that its old page count could stand for, and of what is missing
        // nobody knows.
        let pages = match self.status {
            Status::Dropped | Status::Missing => 0,
            _ => u64::from(relation.pages),
        };
        Size::unread(self.status, pages, block_size)
    }
}

/// The status of what an error left unread; none if the session is over, or the visit shall end.
pub(crate) const fn status_of(error: &VisitError) -> Option<Status> {
    Some(match error {
        VisitError::LockTimedOut { .. } | VisitError::RecoveryConflict { .. } => Status::Locked,
        VisitError::StatementTimedOut { .. } | VisitError::TimedOut { .. } => Status::TimedOut,
        VisitError::PermissionDenied { .. } | VisitError::QueryFailed { .. } => Status::Denied,
        _ => return None,
    })
}

impl Sizes {
    /// Nothing measured yet, except that what has no storage has no bytes.
    pub(crate) fn of(catalog: &Catalog) -> Self {
        let mut sizes = Self(Vec::with_capacity(catalog.relations().len()));
        sizes.grow(catalog);
        sizes
    }

    /// Makes room for relations that were added to the catalog.
    pub(crate) fn grow(&mut self, catalog: &Catalog) {
        let known = self.0.len();
        self.0
            .extend(catalog.relations().iter().skip(known).map(|relation| {
                if relation.filenode == 0 {
                    RelationSize::measured(0, 0)
                } else {
                    RelationSize::NOT_YET
                }
            }));
    }

    pub(crate) fn get(&self, slot: Slot) -> &RelationSize {
        &self.0[slot as usize]
    }

    /// Whether the relation was dropped since the catalog was read.
    pub(crate) fn is_gone(&self, slot: Slot) -> bool {
        self.get(slot).status == Status::Dropped
    }

    pub(crate) fn set(&mut self, slot: Slot, found: RelationSize) {
        self.0[slot as usize] = found;
    }

    /// Counts a file to a relation.
    pub(crate) fn add(&mut self, slot: Slot, bytes: u64, is_main: bool) {
        let found = &mut self.0[slot as usize];
        found.bytes += bytes;
        if is_main {
            found.main_bytes += bytes;
            found.has_main = true;
        }
    }

    /// Every file has been counted of the relations that `listed` says: what was added up until now is
    /// measured, and of the others nothing is known but why.
    pub(crate) fn settle(&mut self, catalog: &Catalog, listed: impl Fn(Oid) -> Status) {
        for (found, relation) in self.0.iter_mut().zip(catalog.relations()) {
            if relation.filenode == 0 {
                continue;
            }
            match listed(relation.tablespace) {
                Status::Ok => {
                    found.is_measured = true;
                    found.status = Status::Ok;
                }
                status => *found = RelationSize::unread(status),
            }
        }
    }

    /// Takes back what was measured where `status` is not `ok`.
    pub(crate) fn doubt(
        &mut self,
        catalog: &Catalog,
        status: impl Fn(&Relation, &RelationSize) -> Status,
    ) {
        for (found, relation) in self.0.iter_mut().zip(catalog.relations()) {
            if found.is_measured && relation.filenode != 0 {
                let status = status(relation, found);
                if status != Status::Ok {
                    *found = RelationSize::unread(status);
                }
            }
        }
    }

    /// Whether anything that has storage was measured.
    pub(crate) fn has_measured(&self, catalog: &Catalog) -> bool {
        let mut found = self.0.iter().zip(catalog.relations());
        found.any(|(found, relation)| found.is_measured && relation.filenode != 0)
    }

    /// Whether everything was measured, or is gone.
    pub(crate) fn is_whole(&self) -> bool {
        let is_known = |found: &RelationSize| found.is_measured || found.status == Status::Dropped;
        self.0.iter().all(is_known)
    }

    /// Bytes of all relations that were measured.
    pub(crate) fn measured_bytes(&self) -> u64 {
        self.0
            .iter()
            .filter(|found| found.is_measured)
            .map(|found| found.bytes)
            .sum()
    }
}
