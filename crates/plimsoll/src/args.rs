//! The command line, as it is typed. What it means is decided in `config`.

mod transfer;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{OsStringValueParser, TypedValueParser as _};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use plimsoll_core::alert::AlertType;
use plimsoll_input::{DateOrder, Decimal, ReadOptions, Unit};
use plimsoll_server::answer::alerts::AlertsQuery;
use plimsoll_server::answer::events::EventsQuery;
use plimsoll_server::answer::growth::GrowthQuery;
use plimsoll_server::answer::history::HistoryQuery;
use plimsoll_server::answer::sizes::SizesQuery;
use plimsoll_server::ask::{DiskQuery, Forecasts, OfDatabase, time};
use secrecy::{ExposeSecret as _, SecretString};

use crate::duration::Length;
use crate::options::Options;
use crate::secrets::has_password;

pub(crate) use transfer::{Backup, Export, Import, ImportFrom};

/// A PostgreSQL storage monitor: how much disk every table uses, what grows, when the disk is full.
#[derive(Debug, Parser)]
#[command(
    name = "plimsoll",
    version,
    max_term_width = 100,
    propagate_version = false
)]
#[command(mut_arg("instance", |of| of.global(true).value_parser(name)))]
#[command(mut_arg("database", |of| of.global(true).value_parser(name)))]
#[command(after_help = "Exit codes: 0 fine, 1 a finding (doctor, check-config), 2 an error.")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// Configuration file (plimsoll.toml); plimsoll.example.toml explains every key
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "PLIMSOLL_CONFIG",
        value_parser = OsStringValueParser::new().map(PathBuf::from)
    )]
    pub(crate) config: Option<PathBuf>,
    /// The database to watch: postgres://user:password@host:port/database?sslmode=...
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "DATABASE_URL",
        hide_env_values = true
    )]
    pub(crate) database_url: Option<SecretString>,
    /// Where the history is kept: sqlite:PATH or postgres://...
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "PLIMSOLL_STORE",
        hide_env_values = true
    )]
    pub(crate) store: Option<SecretString>,
    /// Make the folder of the store that is named, where it does not exist
    #[arg(long, global = true)]
    pub(crate) create: bool,
    #[command(flatten)]
    pub(crate) of: Options<OfDatabase>,
    /// What is printed on standard output
    #[arg(long, global = true, value_enum, default_value_t = OutputFormat::Table)]
    pub(crate) output: OutputFormat,
    /// How logs are written on standard error [default: text on a terminal, json otherwise]
    #[arg(long, global = true, value_enum)]
    pub(crate) log_format: Option<LogFormat>,
    /// Log more: -v what is done, -vv every statement's cost
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// What to say about passwords on the command line
    #[arg(skip)]
    pub(crate) typed_passwords: Vec<String>,
}

/// A name. A URL in its place would be repeated wherever the name is.
fn name(text: &str) -> Result<String, &'static str> {
    if has_password(text) {
        Err("this is no name; a database's URL is given as --database-url, or in DATABASE_URL")
    } else {
        Ok(text.to_owned())
    }
}

impl Global {
    /// As if variables of the environment that are empty were not set: that is how a shell, a unit file or a compose
    /// file leaves one out.
    pub(crate) fn without_empty_variables(mut self) -> Self {
        let is_empty = |name: &str| std::env::var_os(name).is_some_and(|value| value.is_empty());
        let is_empty_url = |url: &SecretString| url.expose_secret().is_empty();
        if is_empty("PLIMSOLL_CONFIG") {
            self.config = self.config.filter(|path| !path.as_os_str().is_empty());
        }
        if is_empty("DATABASE_URL") {
            self.database_url = self.database_url.filter(|url| !is_empty_url(url));
        }
        if is_empty("PLIMSOLL_STORE") {
            self.store = self.store.filter(|url| !is_empty_url(url));
        }
        self
    }
}

#[cfg(test)]
impl Global {
    /// As if only these were given, whatever the environment holds.
    pub(crate) fn for_test(config: Option<PathBuf>, database_url: Option<&str>) -> Self {
        Self {
            config,
            database_url: database_url.map(SecretString::from),
            store: Some("sqlite:/nowhere/plimsoll.db".into()),
            create: false,
            of: Options(OfDatabase::default()),
            output: OutputFormat::Table,
            log_format: None,
            verbose: 0,
            typed_passwords: Vec::new(),
        }
    }
}

/// What is printed on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// For people
    Table,
    /// The same JSON as the HTTP API's
    Json,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line for people
    Text,
    /// An object a line
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Disk {
    #[command(flatten)]
    pub(crate) query: Options<DiskQuery>,
    /// Look every 5 seconds until Ctrl-C; changes count from the first look
    #[arg(long)]
    pub(crate) watch: bool,
    /// Look at nothing: show what is kept
    #[arg(long, conflicts_with = "watch")]
    pub(crate) stored: bool,
    /// Show the text of the queries that write temporary files
    #[arg(long, conflicts_with = "stored")]
    pub(crate) queries: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show Plimsoll at work on a throwaway PostgreSQL with sample data and months of history
    Demo(Demo),
    /// Run the schedule, the HTTP API and the page
    #[command(
        after_help = "Examples:\n  DATABASE_URL=postgres://plimsoll@host/app plimsoll serve\n  plimsoll --config plimsoll.toml serve --listen 127.0.0.1:9000"
    )]
    Serve(Serve),
    /// Measure a database now and print every table's size
    #[command(
        after_help = "Examples:\n  plimsoll sizes --limit 20\n  plimsoll sizes --schema sales --sort growth\n  plimsoll sizes --kind all --output json"
    )]
    Sizes(Options<SizesQuery>),
    /// Measure a database now and keep the result in the history
    Sample,
    /// Print the history of a database, or of one table
    #[command(
        after_help = "Examples:\n  plimsoll history\n  plimsoll history --table sales.orders --since 30d"
    )]
    History(Options<HistoryQuery>),
    /// Print what grew, by how much a day, and what share of it is whose
    #[command(
        after_help = "Examples:\n  plimsoll growth\n  plimsoll growth --since 2026-01-31 --until 2026-02-07"
    )]
    Growth(Growth),
    /// Say how a size will go on, how sure that is, and when the disk is full
    #[command(
        after_help = "Examples:\n  plimsoll forecast\n  plimsoll forecast --table sales.orders --capacity 500GB\n  plimsoll forecast --by table --limit 10\n  plimsoll forecast --input sizes.csv"
    )]
    Forecast(Forecast),
    /// Show a server's volumes: how full, by what, and what would help
    Disk(Disk),
    /// Print what happened and is not growth: rewrites, drops, jumps, changes of pace
    #[command(
        after_help = "Examples:\n  plimsoll events --since 30d\n  plimsoll events --table sales.orders --kind rewrite,truncate"
    )]
    Events(Events),
    /// Print what fires and why; exit code 1 if something does
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Examples:\n  plimsoll alerts\n  plimsoll alerts --state all --type growth_warning\n  plimsoll alerts explain\n  plimsoll alerts resolve 17 --comment 'a load that was planned'"
    )]
    Alerts(Alerts),
    /// Print one line as Nagios plugins do, with their exit codes
    Check,
    /// Say how large the history itself is, and how large it grows at the configured retention
    Store,
    /// Say what the role can and cannot see, and the grants that would change it
    #[command(
        after_help = "Examples:\n  plimsoll doctor\n  plimsoll doctor --grants --level lock_free"
    )]
    Doctor(Doctor),
    /// Write the whole history as NDJSON, or one table's series as CSV
    #[command(
        after_help = "Examples:\n  plimsoll export all.ndjson\n  plimsoll export --table sales.orders orders.csv"
    )]
    Export(Export),
    /// Read an export, or the sizes that PgHero or another tool kept, into the history
    #[command(
        after_help = "Examples:\n  plimsoll import all.ndjson\n  plimsoll --database shop import sizes.csv"
    )]
    Import(Import),
    /// Copy the SQLite store into a new file while it is in use
    Backup(Backup),
    /// Send a channel a message that says only that it works
    #[command(after_help = "Example:\n  plimsoll --config plimsoll.toml test pager")]
    Test(Test),
    /// Bring the store's schema up to date
    Migrate,
    /// Read the configuration and say what it means, or what is wrong with it
    CheckConfig,
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Address to serve the page and the API on; without it 127.0.0.1:8000, or a free port if that is taken
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// Print the sizes and end
    #[arg(long)]
    pub(crate) once: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address to serve the page and the API on [default: 127.0.0.1:8000]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
}

#[derive(Debug, Args)]
#[command(mut_arg("limit", |limit| limit.default_value("10")))]
pub(crate) struct Growth {
    #[command(flatten)]
    pub(crate) query: Options<GrowthQuery>,
}

#[derive(Debug, Args)]
pub(crate) struct Forecast {
    #[command(flatten)]
    pub(crate) asked: Options<Forecasts>,
    /// The same as `--scope instance`
    #[arg(long, conflicts_with_all = ["table", "schema", "tablespace", "scope", "by"])]
    pub(crate) whole_instance: bool,
    /// Of the series in this file: CSV, or the JSON of Prometheus, Grafana, CloudWatch; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["table", "schema", "tablespace", "scope", "whole_instance", "by"])]
    pub(crate) input: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) reading: Reading,
}

/// How the file is to be read that a command was given, where it does not say so itself.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "How the file is read, where it can be read in several ways")]
pub(crate) struct Reading {
    /// Of several series in the file, this one: a column's name, or a label's value
    #[arg(long, value_name = "NAME")]
    pub(crate) column: Option<String>,
    /// Its numbers are what is free of --capacity, as CloudWatch and node_exporter tell it
    #[arg(long, requires = "capacity")]
    pub(crate) free: bool,
    /// What its numbers count: B, kB, MB, GB, TB (1000 apart), KiB, MiB, GiB, TiB (1024 apart); or 1000 or
    /// 1024: how far apart the units are that it names
    #[arg(long, value_name = "UNIT")]
    pub(crate) unit: Option<Unit>,
    /// What separates its fractions
    #[arg(long, value_name = ".|,")]
    pub(crate) decimal: Option<Decimal>,
    /// What its dates in digits begin with
    #[arg(long, value_name = "dmy|mdy")]
    pub(crate) dates: Option<DateOrder>,
}

impl Reading {
    pub(crate) fn options(&self, capacity_bytes: Option<u64>) -> ReadOptions {
        ReadOptions {
            column: self.column.clone(),
            is_free: self.free,
            capacity_bytes,
            unit: self.unit,
            decimal: self.decimal,
            dates: self.dates,
        }
    }
}

/// A size as it is typed: `500GB` is 500,000,000,000 bytes, `500GiB` is what a server calls 500 GB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Capacity(pub(crate) u64);

impl FromStr for Capacity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        plimsoll_input::bytes(text).map(Self)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Events {
    #[command(flatten)]
    pub(crate) query: Options<EventsQuery>,
    /// Of the series in this file: CSV, or the JSON of Prometheus, Grafana, CloudWatch; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["table", "since"])]
    pub(crate) input: Option<PathBuf>,
    /// With --free: how large the volume is, such as 500GB (1000 apart) or 500GiB
    #[arg(long, value_name = "BYTES", requires = "input")]
    pub(crate) capacity: Option<Capacity>,
    #[command(flatten)]
    pub(crate) reading: Reading,
}

#[derive(Debug, Args)]
pub(crate) struct Alerts {
    #[command(flatten)]
    pub(crate) query: Options<AlertsQuery>,
    #[command(subcommand)]
    pub(crate) command: Option<AlertsCommand>,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum AlertsCommand {
    /// Print where every rule stands with every subject: value, threshold, or why it cannot be judged
    Explain,
    /// Print what a rule judges, and what to do when its alert fires
    Runbook { alert_type: AlertType },
    /// Print what would have been told of the samples that are kept, by the rules as they are set now
    #[command(
        after_help = "Judges what samples hold: growth, sizes, bytes of no relation, and by a forecast a day, growth that is not usual and limits of databases.\n\nExamples:\n  plimsoll alerts replay\n  plimsoll --config try.toml alerts replay --since 30d"
    )]
    Replay {
        /// From so long ago on
        #[arg(long, value_name = "LENGTH", default_value = "90d")]
        since: Length,
    },
    /// Hold back messages about some subjects; without a pattern, print what is held back
    #[command(
        after_help = "Examples:\n  plimsoll alerts silence prod/shop --for 2h --why 'a load that was planned'\n  plimsoll alerts silence 'volume:*' --cron '0 2 * * 0' --for 3h --why 'weekly backup'\n  plimsoll alerts silence --end 3"
    )]
    Silence(Silence),
    /// Close an alert: it is silent until its condition was false once, or is worse
    Resolve {
        /// Its id
        id: i64,
        /// Why
        #[arg(long, value_name = "TEXT")]
        comment: Option<String>,
    },
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Silence {
    /// instance/database, or volume:POOL, with * for any text
    #[arg(requires = "why", conflicts_with = "end")]
    pub(crate) pattern: Option<String>,
    /// So long, such as 2h; with --cron, each time
    #[arg(long = "for", value_name = "LENGTH", requires = "pattern")]
    pub(crate) length: Option<Length>,
    /// Until this time: 2026-01-31 (its midnight, UTC), 2026-01-31T06:00 (UTC), or with a time zone
    #[arg(long, value_name = "TIME", value_parser = time, requires = "pattern", conflicts_with_all = ["length", "cron"])]
    pub(crate) until: Option<jiff::Timestamp>,
    /// Each time that this schedule names, in UTC
    #[arg(long, value_name = "CRON", requires = "length")]
    pub(crate) cron: Option<String>,
    /// Only alerts of this type
    #[arg(long = "type", value_name = "TYPE", requires = "pattern")]
    pub(crate) alert_type: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT", requires = "pattern")]
    pub(crate) why: Option<String>,
    /// Who wants it; without it whoever runs this
    #[arg(long, value_name = "NAME", requires = "pattern")]
    pub(crate) who: Option<String>,
    /// End this silence
    #[arg(long, value_name = "ID")]
    pub(crate) end: Option<i64>,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Print SQL that makes a role, safe to paste into psql; for each level unless --level names one
    #[arg(long)]
    pub(crate) grants: bool,
    /// What the role is wanted to see [default: monitor]
    #[arg(long, value_enum)]
    pub(crate) level: Option<Level>,
    /// With --grants: the role's name
    #[arg(long, value_name = "NAME", default_value = plimsoll_postgres::doctor::ROLE)]
    pub(crate) role: String,
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// The `name` of a channel of the configuration
    #[arg(value_name = "CHANNEL")]
    pub(crate) channel: String,
}

/// How much a role may see; each level holds the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Level {
    /// Sizes of relations, and of the databases that it may connect to
    ReadOnly,
    /// pg_monitor: every database, tablespaces, WAL, temporary files, logs
    Monitor,
    /// Two functions more in each database: sizing without any lock
    LockFree,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }
}
