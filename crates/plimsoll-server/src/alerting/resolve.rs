//! Closes an episode by hand: it is silent until its condition was false once, or is worse.

use plimsoll_core::alert::ResolvedBy;
use plimsoll_core::alert::evaluate::Standing;
use plimsoll_store::{Alert, EpisodeChange, KeptState, ReplacedState, StoreError};

use super::Alerting;

/// So often it is tried again where an evaluation was first.
const TRIES: usize = 5;

impl Alerting {
    /// Closes the episode with this id; its state afterwards. One that has ended stays as it ended. None if there is no
    /// such episode.
    pub async fn resolve(
        &self,
        id: i64,
        comment: Option<&str>,
    ) -> Result<Option<Alert>, StoreError> {
        for _ in 0..TRIES {
            let Some(alert) = self.store.alert(id).await? else {
                return Ok(None);
            };
            if alert.resolved_at.is_some() {
                return Ok(Some(alert));
            }
            let states = self.store.alert_states(&alert.subject.instance).await?;
            let open = states.into_iter().find(|state| state.alert_id == Some(id));
            if let Some(open) = open {
                self.store.keep_alert(self.closed(open, comment)).await?;
                self.changed.notify_one();
            }
        }
        self.store.alert(id).await
    }

    fn closed(&self, open: KeptState, comment: Option<&str>) -> ReplacedState {
        let Standing {
            state,
            memory,
            reading,
        } = open.standing.clone();
        ReplacedState {
            alert_type: open.alert_type,
            subject: open.subject.clone(),
            standing: Standing {
                state: state.dismissed_by_hand(),
                memory,
                reading,
            },
            before: Some(open),
            episode: EpisodeChange::Ends {
                at: self.clock.now(),
                by: ResolvedBy::Hand,
                comment: comment.map(str::to_owned),
            },
        }
    }
}
