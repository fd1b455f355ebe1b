//! What is typed for `export`, `import` and `backup`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use plimsoll_server::ask::OfTable;
use secrecy::SecretString;

use super::{Capacity, Reading};
use crate::options::Options;

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Where to; standard output without it, or as -
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Take the place of a file that is there already
    #[arg(long, requires = "file")]
    pub(crate) overwrite: bool,
    #[command(flatten)]
    pub(crate) table: Options<OfTable>,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// An export (NDJSON); a CSV with time,schema,table,bytes; PgHero's pghero_space_stats as CSV, or
    /// the postgres:// URL of the database that has it; one size over time, of the database or its volume, as
    /// CSV or as Prometheus', Grafana's or CloudWatch's JSON; - for standard input
    #[arg(value_name = "FILE", value_parser = ImportFrom::from_str)]
    pub(crate) from: ImportFrom,
    /// Of several databases in PgHero's table, the one with this name there
    #[arg(long, value_name = "NAME")]
    pub(crate) source_database: Option<String>,
    /// Leave out the samples that have bad lines, instead of importing nothing (CSV only)
    #[arg(long)]
    pub(crate) skip_bad_samples: bool,
    /// With --free: how large the volume is, such as 500GB (1000 apart) or 500GiB
    #[arg(long, value_name = "BYTES")]
    pub(crate) capacity: Option<Capacity>,
    #[command(flatten)]
    pub(crate) reading: Reading,
}

/// Where a history to import is.
#[derive(Debug, Clone)]
pub(crate) enum ImportFrom {
    /// A file, or standard input as `-`.
    File(PathBuf),
    /// A database, by its URL, which may hold a password.
    Database(SecretString),
}

impl FromStr for ImportFrom {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once("://") {
            None => Ok(Self::File(text.into())),
            Some(("postgres" | "postgresql", _)) => Ok(Self::Database(text.into())),
            Some((scheme, _)) => Err(format!(
                "`{scheme}://` is neither postgres:// nor a file's name"
            )),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The file to make
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}
