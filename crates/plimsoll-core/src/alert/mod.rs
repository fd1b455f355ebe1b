//! Alerts: what opens one, keeps it open and closes it. Pure: facts, a state and a moment go in; a state and changes
//! come out.
//!
//! A **rule** (`rules/`) reads one subject's facts into a [`Reading`]: the condition holds, is clear, lies between the
//! border that opens and the one that closes, or cannot be judged now. `life` turns readings into episodes. Rules know
//! nothing of episodes, and episodes nothing of rules, so that every rule opens, waits, rises and closes alike.
//!
//! **Invariant:** what cannot be judged holds the state: it neither opens nor closes anything.
//! **Invariant:** percentages are compared as integers.

pub mod advice;
pub mod contributors;
pub mod evaluate;
pub mod facts;
pub mod kind;
pub mod life;
pub mod message;
pub mod pattern;
pub mod reading;
pub mod resolved_by;
pub mod rules;
pub mod settings;
pub mod silence;
pub mod subject;

pub use kind::{AlertType, Severity};
pub use reading::{Reading, Unit, Verdict};
pub use resolved_by::ResolvedBy;
pub use subject::Subject;
