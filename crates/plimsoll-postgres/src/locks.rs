//! Which relations of the database somebody holds, or waits for, in a mode that matters to sizing.

use std::collections::HashMap;

use plimsoll_core::Oid;

use crate::error::VisitError;
use crate::session::Session;

/// Relations that are being written or locked against reading.
#[derive(Debug, Default)]
pub(crate) struct Locks(HashMap<Oid, bool>);

impl Locks {
    /// Reads them as they are now.
    pub(crate) async fn read(session: &Session) -> Result<Self, VisitError> {
        let mut locks = HashMap::new();
        for row in session.rows(include_str!("locks/locks.sql"), &[]).await? {
            locks.insert(session.read(&row, 0)?, session.read(&row, 1)?);
        }
        Ok(Self(locks))
    }

    /// Relations that somebody holds or waits for in ACCESS EXCLUSIVE mode.
    pub(crate) fn exclusive(&self) -> impl Iterator<Item = Oid> {
        self.0
            .iter()
            .filter(|(_, is_exclusive)| **is_exclusive)
            .map(|(oid, _)| *oid)
    }

    /// Whether somebody may be writing it: ROW EXCLUSIVE mode and up.
    pub(crate) fn is_written(&self, oid: Oid) -> bool {
        self.0.contains_key(&oid)
    }
}
