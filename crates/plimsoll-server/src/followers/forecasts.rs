//! Makes the forecasts as of a new sample, if that is due. What is missing is made when somebody asks, or
//! after the next sample.

use std::sync::Arc;

use async_trait::async_trait;

use super::{FollowError, Follower};
use crate::forecasting::Forecasts;
use crate::news::NewSample;

pub(super) struct Follow(pub(super) Arc<Forecasts>);

#[async_trait]
impl Follower for Follow {
    fn name(&self) -> &'static str {
        "forecasts"
    }

    async fn follow(&self, sample: &NewSample) -> Result<(), FollowError> {
        self.0.refresh_if_due(&sample.of).await?;
        Ok(())
    }
}
