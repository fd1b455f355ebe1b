//! One file a command: takes what was asked, calls what does it, prints the answer.

pub(crate) mod alerts;
pub(crate) mod backup;
pub(crate) mod check;
pub(crate) mod check_config;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod disk;
pub(crate) mod doctor;
pub(crate) mod events;
pub(crate) mod export;
pub(crate) mod forecast;
pub(crate) mod growth;
pub(crate) mod history;
pub(crate) mod import;
mod input;
pub(crate) mod migrate;
mod ranking;
pub(crate) mod sample;
pub(crate) mod serve;
mod silences;
pub(crate) mod sizes;
pub(crate) mod store;
pub(crate) mod test;

/// What is advised where a database is known and no sample of it matches.
const TAKES_SAMPLES: &str = "`plimsoll sample` takes one, `plimsoll serve` one a day";

/// Whether a command found something that its user should act on: exit code 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finding {
    None,
    Some,
    /// `check` alone: its exit codes are those of Nagios' plugins.
    Checked(check::State),
}
