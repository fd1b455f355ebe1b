//! Webhooks, as Standard Webhooks has them: JSON, an id that is the same however often it is sent, a signature.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use plimsoll_call::http::{Request, call};
use plimsoll_call::{Address, Login};

use crate::answered::taken;
use crate::body;
use crate::error::{SendError, SendErrorCode};
use crate::message::{Message, delivery_key};
use crate::signature::Secrets;

/// Of an answer no more is read: it says all that is asked in its first line.
pub(crate) const MOST_BYTES: u64 = 64 << 10;

#[derive(Clone)]
pub(crate) struct Webhook {
    pub(crate) address: Address,
    pub(crate) secrets: Secrets,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) timeout: Duration,
}

impl Webhook {
    pub(crate) fn target(&self) -> String {
        self.address.to_string()
    }

    pub(crate) async fn send(&self, messages: &[Message], now: Timestamp) -> Result<(), SendError> {
        let body = body::json(messages);
        let id = delivery_key(messages);
        let timestamp = now.as_second();
        let signature = self
            .secrets
            .sign(&id, timestamp, &body)
            .map_err(|reason| SendError::new(SendErrorCode::NotReady, reason))?;
        let answer = call(Request {
            address: self.address.clone(),
            login: Login::None,
            headers: vec![
                ("content-type", "application/json".to_owned()),
                ("webhook-id", id),
                ("webhook-timestamp", timestamp.to_string()),
                ("webhook-signature", signature),
            ],
            body: Some(body),
            timeout: self.timeout,
            ca_file: self.ca_file.clone(),
            most_bytes: MOST_BYTES,
        });
        taken(&answer.await?, &self.target(), "url", now)
    }
}
