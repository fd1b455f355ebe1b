//! What the server's statistics count of each table.

use foldhash::HashMap;

use plimsoll_core::Oid;
use tokio_postgres::Row;

use crate::error::VisitError;
use crate::session::Session;

/// What is asked of the server's statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counting {
    /// On a standby there are none.
    Nothing,
    /// How many rows there are.
    Rows,
    /// Also what tells which tables moved.
    RowsAndMoves,
}

impl Counting {
    /// What can be asked.
    pub(crate) const fn on(session: &Session, with_moves: bool) -> Self {
        match (session.server().in_recovery, with_moves) {
            (true, _) => Self::Nothing,
            (false, false) => Self::Rows,
            (false, true) => Self::RowsAndMoves,
        }
    }

    pub(crate) fn rows(self) -> bool {
        self != Self::Nothing
    }

    pub(crate) fn moves(self) -> bool {
        self == Self::RowsAndMoves
    }
}

/// `n_live_tup` and `n_dead_tup` of each table.
#[derive(Debug, Default)]
pub(crate) struct RowCounts {
    /// Live rows and dead ones, where the counters can be believed.
    counters: HashMap<Oid, (u64, u64)>,
    /// What moves with every change of a table or toast table; read for *changes* only.
    moves: HashMap<Oid, u64>,
}

impl RowCounts {
    /// Keeps what `catalog/relations.sql` says in its last three columns.
    pub(crate) fn put(
        &mut self,
        session: &Session,
        row: &Row,
        counting: Counting,
    ) -> Result<(), VisitError> {
        let unsigned = |count: i64| u64::try_from(count).unwrap_or(0);
        if counting.rows()
            && let Some(live) = session.read::<Option<i64>, _>(row, 11)?
        {
            let dead: Option<i64> = session.read(row, 12)?;
            let counted = (unsigned(live), dead.map_or(0, unsigned));
            self.counters.insert(session.read(row, 0)?, counted);
        }
        if counting.moves()
            && let Some(moves) = session.read::<Option<i64>, _>(row, 13)?
        {
            self.moves.insert(session.read(row, 0)?, unsigned(moves));
        }
        Ok(())
    }

    /// A number that moves whenever a table or toast table is changed or vacuumed.
    pub(crate) fn moves(&self, oid: Oid) -> u64 {
        self.moves.get(&oid).copied().unwrap_or(0)
    }

    /// The counters of a table turned out not to be believed.
    pub(crate) fn disbelieve(&mut self, oid: Oid) {
        self.counters.remove(&oid);
    }

    /// Live rows and dead ones, where the counters can be believed.
    pub(crate) fn counted(&self, oid: Oid) -> Option<(u64, u64)> {
        self.counters.get(&oid).copied()
    }
}
