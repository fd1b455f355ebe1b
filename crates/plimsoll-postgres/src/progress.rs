//! Tells whoever waits for a visit where it has come to.

/// Where a visit has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Opening the connection.
    Connecting,
    /// Reading the catalog.
    Catalog,
    /// Reading sizes: relations done, relations in all.
    Sizing(u64, u64),
    /// Reading the rest of the server's disk.
    Facts,
}

/// Told where a visit has come to.
pub trait Progress: Send + Sync {
    /// A phase began or went on.
    fn at(&self, phase: Phase);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn at(&self, _phase: Phase) {}
}
