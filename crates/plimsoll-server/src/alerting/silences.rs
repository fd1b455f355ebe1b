//! The silences that are kept, as the core judges by them.

use jiff::Timestamp;
use plimsoll_core::alert::silence::{Silence, When};
use plimsoll_store::{NewSilence, SilenceSpan, Store, StoreError};

use crate::settings::Cron;

/// The silences as the core judges by them.
pub async fn in_force(store: &dyn Store, now: Timestamp) -> Result<Vec<Silence>, StoreError> {
    let kept = store.silences(now).await?;
    Ok(kept
        .into_iter()
        .map(|kept| of_core(kept.silence, now))
        .collect())
}

/// A silence as the core judges by it.
pub fn of_core(silence: NewSilence, now: Timestamp) -> Silence {
    let when = match silence.span {
        SilenceSpan::Until { from, until } => When::Until { from, until },
        SilenceSpan::Recurring { from, cron, length } => When::Window {
            began: cron
                .parse::<Cron>()
                .ok()
                .and_then(|cron| cron.last_until(now))
                .filter(|began| *began >= from),
            length,
        },
    };
    Silence {
        pattern: silence.pattern,
        alert_type: silence.alert_type,
        when,
        who: silence.who,
        why: silence.why,
    }
}
