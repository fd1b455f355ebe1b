//! What can be wrong with a channel's settings, and with a sending.

use std::time::Duration;

use plimsoll_call::http::CallError;
use plimsoll_call::{RunError, TrustError};

/// What is wrong with a channel as it is configured. Repeats no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the channel `{channel}`: `{key}` {reason}")]
pub struct SettingsError {
    /// Its name.
    pub channel: String,
    /// The key that is wrong, missing, or not of this kind.
    pub key: &'static str,
    /// What is wrong with it, and what to write.
    pub reason: String,
}

/// What kept a message from being sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendErrorCode {
    /// A file that the channel needs is not there, or not as it has to be.
    NotReady,
    /// Nobody was reached, or the connection ended too early.
    Unreachable,
    /// It took too long.
    TimedOut,
    /// The receiver says that it cannot take it now.
    Busy,
    /// The receiver does not let us in, or is elsewhere: its settings or ours have to change.
    Refused,
    /// The receiver will never take this message.
    Rejected,
}

impl SendErrorCode {
    /// What programs know it by.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotReady => "not_ready",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed_out",
            Self::Busy => "busy",
            Self::Refused => "refused",
            Self::Rejected => "rejected",
        }
    }

    /// Whether the same message may be taken later.
    pub const fn retry_helps(self) -> bool {
        !matches!(self, Self::Rejected)
    }
}

/// Why a message was not sent, or not by all that is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct SendError {
    /// What kind of reason.
    pub code: SendErrorCode,
    /// When the receiver wants to be asked again, where it says so.
    pub retry_after: Option<Duration>,
    /// For people; without secrets.
    pub text: String,
}

impl SendError {
    pub(crate) fn new(code: SendErrorCode, text: impl Into<String>) -> Self {
        Self {
            code,
            retry_after: None,
            text: text.into(),
        }
    }

    /// Whether the same message may be taken later.
    pub const fn retry_helps(&self) -> bool {
        self.code.retry_helps()
    }
}

impl From<CallError> for SendError {
    fn from(error: CallError) -> Self {
        let code = match error {
            CallError::NotReady(_) => SendErrorCode::NotReady,
            CallError::TimedOut(..) => SendErrorCode::TimedOut,
            CallError::Broken(..) => SendErrorCode::Unreachable,
        };
        Self::new(code, error.to_string())
    }
}

impl From<RunError> for SendError {
    fn from(error: RunError) -> Self {
        let code = match error {
            RunError::Start(..) => SendErrorCode::NotReady,
            RunError::TimedOut(..) => SendErrorCode::TimedOut,
            RunError::TooLong(..) | RunError::Read(..) => SendErrorCode::Unreachable,
        };
        Self::new(code, error.to_string())
    }
}

impl From<TrustError> for SendError {
    fn from(error: TrustError) -> Self {
        Self::new(SendErrorCode::NotReady, error.to_string())
    }
}
