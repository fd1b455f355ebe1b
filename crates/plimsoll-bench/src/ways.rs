//! The ways to size a database that are measured side by side.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use plimsoll_core::snapshot::Snapshot;
use plimsoll_postgres::{Memory, MethodChoice, Silent, Target, VisitOptions, visit};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::bed::{Bed, value};

/// How a visit of the bench is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Files,
    Functions,
    FunctionsOnTwo,
    Changes,
}

impl Way {
    pub(crate) const ALL: [Self; 4] = [
        Self::Files,
        Self::Functions,
        Self::FunctionsOnTwo,
        Self::Changes,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Functions => "functions",
            Self::FunctionsOnTwo => "functions, two connections",
            Self::Changes => "changes",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.name() == name)
    }

    pub(crate) fn options(self) -> VisitOptions {
        VisitOptions {
            method: match self {
                Self::Files => MethodChoice::Files,
                Self::Functions | Self::FunctionsOnTwo => MethodChoice::Functions,
                Self::Changes => MethodChoice::Changes,
            },
            parallel: if self == Self::FunctionsOnTwo { 2 } else { 1 },
            ..VisitOptions::default()
        }
    }

    /// A whole visit: connection, catalog, counters, names, owners, finished snapshot.
    pub(crate) fn visit(
        self,
        runtime: &Runtime,
        target: &Target,
        memory: &mut Memory,
    ) -> Result<(Duration, Snapshot)> {
        let started = Instant::now();
        let snapshot = runtime
            .block_on(visit(
                target,
                &self.options(),
                memory,
                &Silent,
                &CancellationToken::new(),
                Timestamp::now(),
            ))
            .with_context(|| format!("visiting by {}", self.name()))?;
        Ok((started.elapsed(), snapshot))
    }
}

/// The physical limit: `find` over the files of the database.
pub(crate) fn find(bed: &Bed) -> Result<Duration> {
    let folder = bed.folder()?;
    let started = Instant::now();
    let status = Command::new("find")
        .arg(&folder)
        .args(["-type", "f", "-printf", "%f %s\\n"])
        .stdout(Stdio::null())
        .status()
        .context("running find (GNU findutils)")?;
    let took = started.elapsed();
    if !status.success() {
        bail!("find over {} failed", folder.display());
    }
    Ok(took)
}

/// `pg_total_relation_size` over all tables on a new connection, and the memory its backend has then.
pub(crate) fn total(bed: &Bed) -> Result<(Duration, Option<u64>)> {
    let started = Instant::now();
    let mut session = bed.session()?;
    session.run(include_str!("ways/total.sql"))?;
    let took = started.elapsed();
    if bed.server.major() < 14 {
        return Ok((took, None));
    }
    let bytes = value(&mut session, include_str!("ways/memory.sql"))?;
    Ok((took, Some(bytes.parse()?)))
}

/// The least that asking by OID can cost: `pg_relation_size` of each relation's main fork and nothing
/// else, on new connections after as many relations as *functions* opens on one.
pub(crate) fn main_forks(bed: &Bed) -> Result<Duration> {
    let ranges = bed
        .session()?
        .run(include_str!("ways/ranges.sql"))
        .context("dividing the relations among connections")?;
    let started = Instant::now();
    for range in ranges {
        let [Some(first), Some(last)] = range.as_slice() else {
            bail!("a range of OIDs without an end");
        };
        let sql = include_str!("ways/main_forks.sql");
        let sql = sql.replace(":first", first).replace(":last", last);
        bed.session()?.run(&sql)?;
    }
    Ok(started.elapsed())
}

/// `pg_class`, `pg_table_size` and `pg_indexes_size` on a new connection.
pub(crate) fn table_and_indexes(bed: &Bed) -> Result<Duration> {
    let started = Instant::now();
    bed.session()?
        .run(include_str!("ways/table_and_indexes.sql"))?;
    Ok(started.elapsed())
}
