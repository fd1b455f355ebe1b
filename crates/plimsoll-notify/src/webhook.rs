//! Webhooks, as Standard Webhooks has them: JSON, an id that is the same however often it is sent, a signature.

use jiff::Timestamp;

use crate::answered::taken;
use crate::body;
use crate::endpoint::Endpoint;
use crate::error::{SendError, SendErrorCode};
use crate::message::{Message, delivery_key};
use crate::signature::Secrets;

#[derive(Clone)]
pub(crate) struct Webhook {
    pub(crate) endpoint: Endpoint,
    pub(crate) secrets: Secrets,
}

impl Webhook {
    pub(crate) fn target(&self) -> String {
        self.endpoint.target()
    }

    pub(crate) async fn send(&self, messages: &[Message], now: Timestamp) -> Result<(), SendError> {
        let body = body::json(messages);
        let id = delivery_key(messages);
        let timestamp = now.as_second();
        let signature = self
            .secrets
            .sign(&id, timestamp, &body)
            .map_err(|reason| SendError::new(SendErrorCode::NotReady, reason))?;
        let headers = vec![
            ("webhook-id", id),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-signature", signature),
        ];
        let answer = self.endpoint.post(body, headers).await?;
        taken(&answer, &self.target(), "url", now)
    }
}
