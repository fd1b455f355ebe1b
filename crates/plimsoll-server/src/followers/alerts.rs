//! Evaluates the rules: about a database's sizes on a new sample, about volumes, WAL and staleness on a pulse.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Bounds, FollowError, Follower};
use crate::alerting::Alerting;
use crate::news::{NewPulse, NewSample};

pub(super) struct Follow(pub(super) Arc<Alerting>);

#[async_trait]
impl Follower for Follow {
    fn name(&self) -> &'static str {
        "alerts"
    }

    /// A pulse does not wait for a database's forecast.
    fn bounds(&self) -> Bounds {
        Bounds {
            side_by_side: 2,
            ..Bounds::default()
        }
    }

    fn follows_pulses(&self) -> bool {
        true
    }

    async fn follow(&self, sample: &NewSample) -> Result<(), FollowError> {
        self.0.after_sample(sample).await?;
        Ok(())
    }

    async fn follow_pulse(&self, pulse: &NewPulse) -> Result<(), FollowError> {
        self.0.after_pulse(pulse).await?;
        Ok(())
    }
}
