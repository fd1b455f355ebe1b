//! What is no longer as the catalog said when it was read.

use plimsoll_core::Oid;

use super::{Catalog, Relation, Slot};
use crate::error::VisitError;
use crate::session::Session;

/// What changed since the catalog was read.
#[derive(Debug, Default)]
pub(crate) struct CatalogChanges {
    /// What went away.
    pub dropped: Vec<Slot>,
    /// What was created, rewritten, moved, or got another toast table.
    pub altered: Vec<Oid>,
}

/// What tells a relation from the one it was before a rewrite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    filenode: Oid,
    tablespace: Oid,
    toast: Oid,
}

impl From<&Relation> for Identity {
    fn from(relation: &Relation) -> Self {
        Self {
            filenode: relation.filenode,
            tablespace: relation.tablespace,
            toast: relation.toast,
        }
    }
}

impl Catalog {
    /// Compares with what the server's catalog says now.
    pub(crate) async fn changed(&self, session: &Session) -> Result<CatalogChanges, VisitError> {
        let mut exists = vec![false; self.relations.len()];
        let mut changed = CatalogChanges::default();
        session
            .stream(include_str!("filenodes.sql"), &[], |row| {
                let oid: Oid = session.read(&row, 0)?;
                let filenode = session.read::<Option<Oid>, _>(&row, 1)?.unwrap_or(0);
                let identity = Identity {
                    filenode,
                    tablespace: self.tablespace(filenode, session.read(&row, 2)?),
                    toast: session.read(&row, 3)?,
                };
                let slot = self.slot(oid);
                if let Some(slot) = slot {
                    exists[slot as usize] = true;
                }
                if slot.is_none_or(|slot| Identity::from(self.relation(slot)) != identity) {
                    changed.altered.push(oid);
                }
                Ok(())
            })
            .await?;
        changed.dropped = (0..)
            .zip(exists)
            .filter(|(_, exists)| !exists)
            .map(|(slot, _)| slot)
            .collect();
        Ok(changed)
    }
}
