//! A heartbeat: an address that is called while all is well, so that somebody notices when it no longer is.

use jiff::Timestamp;

use crate::answered::taken;
use crate::endpoint::Endpoint;
use crate::error::SendError;

#[derive(Clone)]
pub(crate) struct Heartbeat {
    pub(crate) endpoint: Endpoint,
}

impl Heartbeat {
    pub(crate) fn target(&self) -> String {
        self.endpoint.target()
    }

    pub(crate) async fn beat(&self, now: Timestamp) -> Result<(), SendError> {
        let answer = self.endpoint.get().await?;
        taken(&answer, &self.target(), "url", now)
    }
}
