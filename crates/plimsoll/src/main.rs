//! The binary: arguments to exit code.

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

mod args;
mod bytes;
mod commands;
mod config;
mod context;
mod demo;
mod duration;
mod logs;
mod new_file;
mod options;
mod output;
mod progress;
mod secrets;
mod signals;

use args::{Cli, Command};
use commands::Finding;
use context::Context;
use secrets::masked;

/// A visit and its sample allocate millions of small pieces on many threads. The system's allocator keeps twice as much
/// of the memory for itself afterwards, and musl's is slow besides.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let is_service = matches!(cli.command, Command::Serve(_));
    let is_check = matches!(cli.command, Command::Check);
    logs::start(cli.global.log_format, cli.global.verbose, is_service);
    match run(cli) {
        Ok(Finding::None) => ExitCode::SUCCESS,
        Ok(Finding::Some) => ExitCode::from(1),
        Ok(Finding::Checked(state)) => ExitCode::from(state.code()),
        Err(error) if is_check => {
            let (state, line) = commands::check::failed(&masked(&output::chain(&error)));
            let _ = output::print(|out| writeln!(out, "{line}"));
            ExitCode::from(state.code())
        }
        Err(error) => {
            // Standard error may be closed; the exit code still tells.
            let _ = output::complain(&format!("plimsoll: {}", masked(&output::chain(&error))));
            ExitCode::from(2)
        }
    }
}

/// The command line, or the exit code after its help or what is wrong with it was printed.
fn parse() -> Result<Cli, ExitCode> {
    let parsed = Cli::command().try_get_matches().and_then(|matches| {
        let mut cli = Cli::from_arg_matches(&matches)?;
        cli.global = cli.global.without_empty_variables();
        cli.global.typed_passwords = secrets::typed(&matches);
        Ok(cli)
    });
    parsed.map_err(|error| {
        if !error.use_stderr() {
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        // It repeats what was typed, and that may be a URL in a wrong place.
        let text = error.render();
        if is_check() {
            // Whoever runs plugins reads 2 as critical.
            let text = masked(text.to_string().trim()).into_owned();
            let (state, line) = commands::check::failed(&text);
            let _ = output::print(|out| writeln!(out, "{line}"));
            return ExitCode::from(state.code());
        }
        let text = if io::stderr().is_terminal() {
            text.ansi().to_string()
        } else {
            text.to_string()
        };
        let _ = output::complain(masked(&text).trim_end());
        ExitCode::from(2)
    })
}

/// Whether it is `check` that was typed, whatever was typed besides.
fn is_check() -> bool {
    let cli = Cli::command();
    let is_command = |word: &String| cli.get_subcommands().any(|known| known.get_name() == word);
    let mut words = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned());
    let typed = words.find(is_command);
    typed.is_some_and(|word| word == "check")
}

/// A command that is not about one database, where one is named: whoever names one expects an answer about it.
fn is_not_about_a_database(command: &Command) -> Option<&'static str> {
    Some(match command {
        Command::Backup(_) => "backup",
        Command::CheckConfig => "check-config",
        Command::Demo(_) => "demo",
        Command::Disk(_) => "disk",
        Command::Migrate => "migrate",
        Command::Serve(_) => "serve",
        Command::Store => "store",
        _ => return None,
    })
}

fn run(cli: Cli) -> anyhow::Result<Finding> {
    if let (Some(name), Some(command)) = (
        &cli.global.of.0.database,
        is_not_about_a_database(&cli.command),
    ) {
        anyhow::bail!(
            "`plimsoll {command}` is not about one database: leave out --database {}",
            plimsoll_core::name::shown(name)
        );
    }
    // These need neither a runtime nor a configuration that can be read.
    match &cli.command {
        Command::Completions { shell } => return commands::completions::run(*shell),
        Command::CheckConfig => return commands::check_config::run(&cli.global),
        Command::Forecast(args) => {
            if let Some(path) = &args.input {
                return commands::forecast::run_on_file(path, args, cli.global.output);
            }
        }
        Command::Events(args) => {
            if let Some(path) = &args.input {
                return commands::events::run_on_file(path, args, cli.global.output);
            }
        }
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(2)
        .build()?;
    let outcome = runtime.block_on(async {
        let context = Context::new(cli.global)?;
        match cli.command {
            Command::Demo(args) => commands::demo::run(&context, &args).await,
            Command::Serve(args) => commands::serve::run(context, &args).await,
            Command::Sizes(query) => commands::sizes::run(&context, query.0).await,
            Command::Sample => commands::sample::run(&context).await,
            Command::History(query) => commands::history::run(&context, query.0).await,
            Command::Store => commands::store::run(&context).await,
            Command::Growth(args) => commands::growth::run(&context, args.query.0).await,
            Command::Forecast(args) => commands::forecast::run(&context, args).await,
            Command::Disk(args) => commands::disk::run(&context, &args).await,
            Command::Events(args) => commands::events::run(&context, args.query.0).await,
            Command::Alerts(args) => {
                commands::alerts::run(&context, args.query.0, args.command).await
            }
            Command::Check => {
                let (state, line) = commands::check::run(&context).await?;
                output::print(|out| writeln!(out, "{line}"))?;
                Ok(Finding::Checked(state))
            }
            Command::Doctor(args) => commands::doctor::run(&context, &args).await,
            Command::Export(args) => commands::export::run(&context, args).await,
            Command::Import(args) => commands::import::run(&context, args).await,
            Command::Backup(args) => commands::backup::run(&context, &args).await,
            Command::Test(args) => commands::test::run(&context, &args).await,
            Command::Migrate => commands::migrate::run(&context).await,
            Command::CheckConfig | Command::Completions { .. } => Ok(Finding::None),
        }
    });
    // A thread that still waits for a hanging disk or server must not keep the process.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    outcome
}
