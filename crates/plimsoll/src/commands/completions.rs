//! `plimsoll completions`: a completion script for a shell.

use clap::CommandFactory;
use clap_complete::Shell;

use super::Finding;
use crate::args::Cli;
use crate::output;

pub(crate) fn run(shell: Shell) -> anyhow::Result<Finding> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "plimsoll", &mut script);
    output::print(|out| out.write_all(&script))?;
    Ok(Finding::None)
}
