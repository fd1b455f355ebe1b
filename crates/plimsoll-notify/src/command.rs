//! A command: it reads on its standard input what a webhook is sent.

use plimsoll_call::{Program, Wanted};

use crate::body;
use crate::error::{SendError, SendErrorCode};
use crate::message::Message;
use crate::text::{beginning, line};

/// So much of what it complains about is read, and told.
const MOST_BYTES: u64 = 4 << 10;
const MOST_CHARACTERS: usize = 300;

#[derive(Clone)]
pub(crate) struct Command {
    pub(crate) program: Program,
}

impl Command {
    pub(crate) fn target(&self) -> String {
        self.program.program.clone()
    }

    pub(crate) async fn send(&self, messages: &[Message]) -> Result<(), SendError> {
        let body = body::json(messages);
        let wanted = Wanted::Complaint(MOST_BYTES);
        let ran = self.program.run(Some(&body), wanted).await?;
        if ran.status.success() {
            return Ok(());
        }
        let complaint = String::from_utf8_lossy(&ran.text);
        let complaint = beginning(&line(complaint.trim()), MOST_CHARACTERS);
        let mut text = format!("{} failed ({})", self.target(), ran.status);
        if !complaint.is_empty() {
            text = format!("{text}: {complaint}");
        }
        Err(SendError::new(SendErrorCode::Busy, text))
    }
}
