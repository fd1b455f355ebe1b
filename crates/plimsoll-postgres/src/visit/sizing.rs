//! The middle of a visit: sizes by the method that was chosen.

use jiff::Timestamp;
use plimsoll_core::snapshot::{Cost, Method, Unattributed};

use crate::catalog::{Catalog, Slot};
use crate::changes::{self, Sweep};
use crate::error::VisitError;
use crate::files;
use crate::functions::{self, Connecting, Finds};
use crate::options::VisitOptions;
use crate::progress::Progress;
use crate::seen::Seen;
use crate::session::Session;
use crate::sizes::Sizes;
use crate::visit::Memory;

/// The method of a visit, once the server was asked what the role may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    Files,
    Functions,
    Changes,
}

/// What sizing found.
pub(super) struct Sized {
    pub sizes: Sizes,
    pub method: Method,
    pub full_sweep_at: Option<Timestamp>,
    /// None if the deadline came first, or the role may not ask.
    pub database_bytes: Option<u64>,
    /// None where the method cannot tell.
    pub unattributed: Option<Vec<Unattributed>>,
    /// What it cost on connections that are closed by now.
    pub spent: Cost,
}

/// What is around a visit.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub connecting: Connecting<'a>,
    pub options: &'a VisitOptions,
    pub progress: &'a dyn Progress,
    pub now: Timestamp,
}

impl Around<'_> {
    /// Sizes every relation; returns the session to go on with.
    pub(super) async fn size(
        &self,
        session: Session,
        choice: Choice,
        seen: &mut Seen,
        memory: &mut Memory,
    ) -> Result<(Session, Sized), VisitError> {
        let mut sized = Sized {
            sizes: Sizes::of(&seen.catalog),
            method: Method::Functions,
            full_sweep_at: Some(self.now),
            database_bytes: None,
            unattributed: None,
            spent: Cost::default(),
        };
        let session = match choice {
            Choice::Files => self.files(session, seen, memory, &mut sized).await?,
            Choice::Functions => self.functions(session, seen, &mut sized).await?,
            Choice::Changes => self.changes(session, seen, memory, &mut sized).await?,
        };
        Ok((session, sized))
    }

    async fn files(
        &self,
        session: Session,
        seen: &mut Seen,
        memory: &mut Memory,
        sized: &mut Sized,
    ) -> Result<Session, VisitError> {
        sized.method = Method::Files;
        let listing = files::size(
            &session,
            &mut seen.catalog,
            &seen.locks,
            &mut sized.sizes,
            &mut memory.unowned,
            self.progress,
        );
        if let Some(listing) = in_time(listing.await.map(Some))? {
            sized.spent.user_relation_locks = listing.user_relation_locks;
            sized.database_bytes = Some(listing.total_bytes);
            sized.unattributed = Some(listing.unattributed);
        }
        Ok(session)
    }

    async fn functions(
        &self,
        session: Session,
        seen: &mut Seen,
        sized: &mut Sized,
    ) -> Result<Session, VisitError> {
        let slots = everything(&seen.catalog);
        self.ask(session, seen, slots, sized, true).await
    }

    async fn changes(
        &self,
        session: Session,
        seen: &mut Seen,
        memory: &mut Memory,
        sized: &mut Sized,
    ) -> Result<Session, VisitError> {
        let Some(stamps) = in_time(changes::stamps(&session).await)? else {
            memory.sweep = None;
            return self.functions(session, seen, sized).await;
        };
        let is_standby = session.server().in_recovery;
        let holds = |sweep: &Sweep| {
            !is_standby && sweep.holds(&stamps, self.now, self.options.full_sweep_every)
        };
        let Some(mut sweep) = memory.sweep.take().filter(holds) else {
            let session = self.functions(session, seen, sized).await?;
            let total = sized.database_bytes.unwrap_or(0);
            memory.sweep = Sweep::after_full(self.now, stamps, seen, &sized.sizes, total);
            return Ok(session);
        };
        sized.method = Method::Changes;
        sized.full_sweep_at = Some(sweep.at());
        let slots = sweep.carry_over(seen, &mut sized.sizes);
        let session = self.ask(session, seen, slots.clone(), sized, false).await?;
        sweep.learn(seen, &slots, &sized.sizes);
        sized.database_bytes = match sweep.carried_total(&sized.sizes) {
            Some(total) => Some(total),
            None => functions::total(&session).await?,
        };
        memory.sweep = Some(sweep);
        Ok(session)
    }

    async fn ask(
        &self,
        session: Session,
        seen: &mut Seen,
        slots: Vec<Slot>,
        sized: &mut Sized,
        with_total: bool,
    ) -> Result<Session, VisitError> {
        let found = Finds {
            sizes: &mut sized.sizes,
            spent: &mut sized.spent,
            total: with_total.then_some(&mut sized.database_bytes),
        };
        functions::size(
            session,
            self.connecting,
            &mut seen.catalog,
            slots,
            found,
            self.progress,
        )
        .await
    }
}

/// Every relation that has storage.
fn everything(catalog: &Catalog) -> Vec<Slot> {
    catalog
        .slots()
        .filter(|(_, relation)| relation.filenode != 0)
        .map(|(slot, _)| slot)
        .collect()
}

/// What the visit can do without when the deadline comes.
pub(super) fn in_time<T: Default>(result: Result<T, VisitError>) -> Result<T, VisitError> {
    match result {
        Err(VisitError::TimedOut { .. }) => Ok(T::default()),
        result => result,
    }
}
