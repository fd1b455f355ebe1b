//! What a visit has found out about each relation's size, while it is under way.

use plimsoll_core::size::{Size, SizeSource, Status};

use crate::catalog::{Catalog, Relation, Slot};

/// One entry for each relation of the catalog, in the order of its slots.
#[derive(Debug, Default)]
pub(crate) struct Sizes(Vec<Found>);

/// What is known of one relation's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    /// Bytes of all forks; 0 unless measured.
    pub bytes: u64,
    /// Bytes of the main fork: what row estimates scale with.
    pub main_bytes: u64,
    pub status: Status,
    pub is_measured: bool,
}

impl Found {
    /// What holds until a relation's turn comes, and for good if the deadline comes first.
    const NOT_YET: Self = Self::unread(Status::TimedOut);

    pub(crate) const fn measured(bytes: u64, main_bytes: u64) -> Self {
        Self {
            bytes,
            main_bytes,
            status: Status::Ok,
            is_measured: true,
        }
    }

    pub(crate) const fn unread(status: Status) -> Self {
        Self {
            bytes: 0,
            main_bytes: 0,
            status,
            is_measured: false,
        }
    }

    /// As the snapshot shows it.
    pub(crate) fn size(&self, relation: &Relation, block_size: u64) -> Size {
        if self.is_measured {
            return Size {
                status: self.status,
                source: SizeSource::Measured,
                ..Size::measured(self.bytes)
            };
        }
        // What is gone occupies nothing that its old page count could stand for.
        let pages = match self.status {
            Status::Dropped => 0,
            _ => u64::from(relation.pages),
        };
        Size::unread(self.status, pages, block_size)
    }
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
                    Found::measured(0, 0)
                } else {
                    Found::NOT_YET
                }
            }));
    }

    pub(crate) fn get(&self, slot: Slot) -> &Found {
        &self.0[slot as usize]
    }

    /// Whether the relation was dropped since the catalog was read.
    pub(crate) fn is_gone(&self, slot: Slot) -> bool {
        self.get(slot).status == Status::Dropped
    }

    pub(crate) fn set(&mut self, slot: Slot, found: Found) {
        self.0[slot as usize] = found;
    }

    /// Counts a file to a relation.
    pub(crate) fn add(&mut self, slot: Slot, bytes: u64, is_main: bool) {
        let found = &mut self.0[slot as usize];
        found.bytes += bytes;
        if is_main {
            found.main_bytes += bytes;
        }
    }

    /// Every file has been counted: what was added up until now is measured.
    pub(crate) fn settle(&mut self) {
        for found in &mut self.0 {
            found.is_measured = true;
            found.status = Status::Ok;
        }
    }

    /// Bytes of all relations that were measured.
    pub(crate) fn measured_bytes(&self) -> u64 {
        self.0
            .iter()
            .filter(|found| found.is_measured)
            .map(|found| found.bytes)
            .sum()
    }

    /// Says that somebody locks a relation, whether or not it was measured.
    pub(crate) fn flag_locked(&mut self, slot: Slot) {
        let found = &mut self.0[slot as usize];
        if found.status != Status::Dropped {
            found.status = found.status.max(Status::Locked);
        }
    }
}
