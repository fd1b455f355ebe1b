//! What a visit saw before it sized anything.

use crate::catalog::Catalog;
use crate::counters::RowCounts;
use crate::locks::Locks;

/// What a visit saw before it sized anything.
pub(crate) struct Inventory {
    pub catalog: Catalog,
    pub counts: RowCounts,
    /// None where they are not asked for, or could not be read.
    pub locks: Option<Locks>,
    pub block_size: u64,
}
