//! What every request passes before a handler sees it, and its answer on the way out.

pub(super) mod asker;
pub(super) mod etag;
pub(super) mod guard;
pub(super) mod limits;
pub(super) mod log;
mod serve;

pub(crate) use serve::serve;
