//! The middle of a visit: sizes by the method that was chosen.

use jiff::Timestamp;
use plimsoll_core::snapshot::{Cost, Method, Unattributed};

use crate::catalog::{Catalog, Slot};
use crate::changes::{self, Sweep};
use crate::connecting::Connecting;
use crate::error::VisitError;
use crate::files;
use crate::functions::{self, Output};
use crate::inventory::Inventory;
use crate::options::VisitOptions;
use crate::progress::Progress;
use crate::session::Session;
use crate::sizes::{Sizes, status_of};
use crate::visit::Memory;

/// The method of a visit, once the server was asked what the role may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    Files,
    Functions,
    Changes,
}

/// What sizing found.
pub(super) struct SizingResult {
    pub sizes: Sizes,
    pub method: Method,
    pub full_sweep_at: Option<Timestamp>,
    /// None if the deadline came first, or the role may not ask.
    pub database_bytes: Option<u64>,
    /// None where the method cannot tell, or could not look everywhere.
    pub unattributed: Option<Vec<Unattributed>>,
    /// What it cost on connections that are closed by now.
    pub spent: Cost,
}

impl SizingResult {
    /// Nothing yet.
    pub(super) fn nothing(inventory: &Inventory, choice: Choice, now: Timestamp) -> Self {
        Self {
            sizes: Sizes::of(&inventory.catalog),
            method: match choice {
                Choice::Files => Method::Files,
                Choice::Functions | Choice::Changes => Method::Functions,
            },
            full_sweep_at: Some(now),
            database_bytes: None,
            unattributed: None,
            spent: Cost::default(),
        }
    }
}

/// The sizing of one visit: how it connects, what was asked for, and whom it tells how far it is.
#[derive(Clone, Copy)]
pub(super) struct Sizing<'a> {
    pub connecting: Connecting<'a>,
    pub options: &'a VisitOptions,
    pub progress: &'a dyn Progress,
    pub now: Timestamp,
}

impl Sizing<'_> {
    /// Sizes every relation; returns the session to go on with. What was found until an error came is in
    /// `sized`.
    pub(super) async fn size(
        &self,
        session: Session,
        choice: Choice,
        inventory: &mut Inventory,
        memory: &mut Memory,
        sized: &mut SizingResult,
    ) -> Result<Session, VisitError> {
        match choice {
            Choice::Files => self.files(session, inventory, memory, sized).await,
            Choice::Functions => self.functions(session, inventory, sized).await,
            Choice::Changes => self.changes(session, inventory, memory, sized).await,
        }
    }

    async fn files(
        &self,
        session: Session,
        inventory: &mut Inventory,
        memory: &mut Memory,
        sized: &mut SizingResult,
    ) -> Result<Session, VisitError> {
        let (session, listing) = files::size(
            session,
            self.connecting,
            &mut inventory.catalog,
            files::Output {
                sizes: &mut sized.sizes,
                spent: &mut sized.spent,
                unowned: &mut memory.unowned,
            },
            self.progress,
        )
        .await?;
        sized.spent.user_relation_locks = listing.user_relation_locks;
        sized.database_bytes = listing.total_bytes;
        sized.unattributed = listing.unattributed;
        Ok(session)
    }

    async fn functions(
        &self,
        session: Session,
        inventory: &mut Inventory,
        sized: &mut SizingResult,
    ) -> Result<Session, VisitError> {
        let slots = everything(&inventory.catalog);
        self.ask(session, inventory, slots, sized, true).await
    }

    async fn changes(
        &self,
        session: Session,
        inventory: &mut Inventory,
        memory: &mut Memory,
        sized: &mut SizingResult,
    ) -> Result<Session, VisitError> {
        let stamps = can_do_without(changes::stamps(&session).await)?.flatten();
        let is_standby = session.server().in_recovery;
        let holds = |sweep: &Sweep| {
            !is_standby && sweep.holds(stamps.as_deref(), self.now, self.options.full_sweep_every)
        };
        let Some(mut sweep) = memory.sweep.take().filter(holds) else {
            return self.sweep(session, stamps, inventory, memory, sized).await;
        };
        sized.method = Method::Changes;
        sized.full_sweep_at = Some(sweep.at());
        // From before anything is sized: what grows meanwhile is then in a relation rather than in none.
        if sweep.asks_total(self.now) {
            sized.database_bytes = functions::total(&session).await?;
        }
        let slots = sweep.carry_over(inventory, &mut sized.sizes);
        let session = self
            .ask(session, inventory, slots.clone(), sized, false)
            .await?;
        sweep.learn(inventory, &slots, &sized.sizes);
        if let Some(bytes) = sized.database_bytes
            && sweep.is_doubted_by(bytes, &sized.sizes, self.now)
        {
            tracing::info!("storage.sizing.counters_doubted");
            *sized = SizingResult {
                spent: std::mem::take(&mut sized.spent),
                ..SizingResult::nothing(inventory, Choice::Changes, self.now)
            };
            return self.sweep(session, stamps, inventory, memory, sized).await;
        }
        sized.database_bytes = sized
            .database_bytes
            .or_else(|| sweep.carried_total(&sized.sizes));
        memory.sweep = Some(sweep);
        Ok(session)
    }

    /// A full sweep, which is remembered.
    async fn sweep(
        &self,
        session: Session,
        stamps: Option<String>,
        inventory: &mut Inventory,
        memory: &mut Memory,
        sized: &mut SizingResult,
    ) -> Result<Session, VisitError> {
        let session = self.functions(session, inventory, sized).await?;
        // From after everything was sized: see `changes`.
        let bytes_after = match sized.database_bytes {
            Some(before) => functions::total(&session)
                .await?
                .map(|after| after.max(before)),
            None => None,
        };
        memory.sweep = stamps.and_then(|stamps| {
            Sweep::after_full(self.now, stamps, inventory, &sized.sizes, bytes_after)
        });
        Ok(session)
    }

    async fn ask(
        &self,
        session: Session,
        inventory: &mut Inventory,
        slots: Vec<Slot>,
        sized: &mut SizingResult,
        with_total: bool,
    ) -> Result<Session, VisitError> {
        let found = Output {
            sizes: &mut sized.sizes,
            spent: &mut sized.spent,
            total: with_total.then_some(&mut sized.database_bytes),
        };
        let session = functions::size(
            session,
            self.connecting,
            &mut inventory.catalog,
            slots,
            found,
            self.progress,
        )
        .await?;
        let covers_all = functions::mark_missing(
            &session,
            &inventory.catalog,
            &inventory.counts,
            &mut sized.sizes,
        )
        .await?;
        sized.database_bytes = sized.database_bytes.filter(|_| covers_all);
        Ok(session)
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

/// What the visit can do without, where the server refuses it or it is not to be had in time.
pub(super) fn can_do_without<T>(result: Result<T, VisitError>) -> Result<Option<T>, VisitError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if status_of(&error).is_some() => {
            tracing::warn!(reason = %error, "storage.visit.did_without");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
