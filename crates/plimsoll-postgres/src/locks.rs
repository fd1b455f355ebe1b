//! Which relations of the database somebody writes, or waits to.

use std::collections::HashSet;

use plimsoll_core::Oid;

use crate::error::VisitError;
use crate::session::Session;

/// Relations that are being written, or locked against it.
#[derive(Debug, Default)]
pub(crate) struct Locks(HashSet<Oid>);

impl Locks {
    /// Reads them as they are now.
    pub(crate) async fn read(session: &Session) -> Result<Self, VisitError> {
        let rows = session.rows(include_str!("locks/locks.sql"), &[]).await?;
        let oids = rows.iter().map(|row| session.read(row, 0));
        Ok(Self(oids.collect::<Result<_, _>>()?))
    }

    /// Whether somebody may be writing it: ROW EXCLUSIVE mode and up.
    pub(crate) fn is_written(&self, oid: Oid) -> bool {
        self.0.contains(&oid)
    }
}
