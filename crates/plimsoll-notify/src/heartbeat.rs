//! A heartbeat: an address that is called while all is well, so that somebody notices when it no longer is.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use plimsoll_call::http::{Request, call};
use plimsoll_call::{Address, Login};

use crate::answered::taken;
use crate::error::SendError;
use crate::webhook::MOST_BYTES;

#[derive(Clone)]
pub(crate) struct Heartbeat {
    pub(crate) address: Address,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) timeout: Duration,
}

impl Heartbeat {
    pub(crate) fn target(&self) -> String {
        self.address.to_string()
    }

    pub(crate) async fn beat(&self, now: Timestamp) -> Result<(), SendError> {
        let answer = call(Request {
            address: self.address.clone(),
            login: Login::None,
            headers: Vec::new(),
            body: None,
            timeout: self.timeout,
            ca_file: self.ca_file.clone(),
            most_bytes: MOST_BYTES,
        });
        taken(&answer.await?, &self.target(), "url", now)
    }
}
