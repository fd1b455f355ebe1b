//! What a visit saw before it sized anything.

use crate::catalog::Catalog;
use crate::counters::RowCounts;
use crate::locks::Locks;

/// What a visit saw before it sized anything.
pub(crate) struct Seen {
    pub catalog: Catalog,
    pub counts: RowCounts,
    pub locks: Locks,
    pub block_size: u64,
}
