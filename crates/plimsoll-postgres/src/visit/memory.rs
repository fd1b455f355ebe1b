//! What a visit remembers for the next one to the same database.

use plimsoll_core::Oid;

use crate::changes::Sweep;
use crate::files::Unowned;
use crate::session::Session;

/// What a visit remembers for the next one to the same database: counters and sizes for *changes*,
/// files seen without an owner. One for each database; another database's is forgotten.
#[derive(Debug, Default)]
pub struct Memory {
    of: Option<(Option<u64>, Oid)>,
    pub(crate) unowned: Unowned,
    pub(crate) sweep: Option<Sweep>,
}

impl Memory {
    /// Forgets everything if it is about another database, or about this one before a restore.
    pub(crate) fn belong_to(&mut self, session: &Session) {
        let database = Some((session.server().system_identifier, session.database_oid()));
        if self.of != database {
            *self = Self {
                of: database,
                ..Self::default()
            };
        }
    }
}
