//! Runs a temporary server until standard input closes or a signal comes: `throwaway-postgres [MAJOR]`;
//! `throwaway-postgres --list` lists what is installed.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command answers on its standard streams"
)]

use std::io::Read;
use std::process::ExitCode;

use throwaway_postgres::{Installation, Options, Server, StartError};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Prints the URL, the folder and the postmaster's process id, then waits.
fn run() -> Result<(), StartError> {
    if std::env::args().nth(1).as_deref() == Some("--list") {
        for Installation { major, bin } in Installation::all() {
            println!("{major} {}", bin.display());
        }
        return Ok(());
    }
    let major = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let installation = Installation::find(major)?;
    let server = Server::start(&Options {
        installation: Some(installation),
        ..Options::default()
    })?;
    println!("{}", server.url("postgres"));
    println!("{}", server.folder().display());
    println!("{}", server.postmaster_pid().unwrap_or_default());
    let mut input = Vec::new();
    let _ = std::io::stdin().read_to_end(&mut input);
    // What the tests send to see what a panic leaves behind.
    assert!(input != b"panic\n", "told to panic");
    Ok(())
}
