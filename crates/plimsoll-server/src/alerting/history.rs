//! `history_at_risk`, evaluated on each pulse: whether the store takes what is measured, and how full its volume is.

use plimsoll_core::alert::evaluate::Facts;
use plimsoll_core::alert::rules::upkeep::StoreNow;
use plimsoll_core::alert::{AlertType, Subject};
use plimsoll_store::{KeptState, StoreError};

use super::Alerting;
use super::pulse::{is_one_look, judged_at};
use super::settle::{Beside, Settled};
use crate::news::NewPulse;

impl Alerting {
    /// The store is one, however many instances' pulses tell of it.
    pub(super) async fn history(
        &self,
        shared: &[KeptState],
        pulse: &NewPulse,
    ) -> Result<(), StoreError> {
        let refuses = pulse.store.refuses.as_ref();
        let subject = Subject::history();
        let judged_at = judged_at(shared, AlertType::HistoryAtRisk, &subject);
        if is_one_look(judged_at, pulse.at) {
            return Ok(());
        }
        let settled = Settled {
            alert_type: AlertType::HistoryAtRisk,
            subject: &subject,
            facts: Facts::Store(StoreNow {
                is_refused: Some(refuses.is_some()),
                volume: pulse.store.space,
            }),
            now: pulse.at,
            instance: &pulse.instance,
        };
        let telling = || {
            let why = refuses.map(|why| format!("Why: {why}"));
            let store = format!("The store is {}.", self.store.name());
            Beside {
                events: [why, Some(store)].into_iter().flatten().collect(),
                ..Beside::default()
            }
        };
        self.settle(shared, settled, &telling).await
    }
}
