//! Sends messages about alerts: by webhook, Slack, Alertmanager, SMTP, command.
//!
//! A [`Channel`] only sends. What is sent where and when, what is gathered, tried again or given up is decided by
//! whoever calls it; [`SendError`] says whether trying again helps.
//!
//! **Invariant:** it knows no rule and no store, and keeps nothing between two calls.
//!
//! **Invariant:** every call is bounded in time and in what is read. A program ends when the future is dropped; a request
//! over HTTP is left, and ends by its own limit.
//!
//! **Invariant:** no secret is in an error, in `Debug`, or in a log; the address of a webhook is one.

mod alertmanager;
mod answered;
mod body;
mod channel;
mod command;
mod endpoint;
mod error;
mod heartbeat;
mod kind;
mod message;
mod settings;
mod signature;
mod slack;
mod smtp;
mod text;
mod webhook;

pub use crate::body::schema;
pub use crate::channel::Channel;
pub use crate::error::{SendError, SendErrorCode, SettingsError};
pub use crate::kind::{Kind, Tls};
pub use crate::message::{Event, Message, Share, delivery_key};
pub use crate::settings::{OneOrMore, Settings};
pub use plimsoll_core::alert::Severity;
