//! Every way once a round, one after the other, so that what disturbs the machine disturbs them all.

use std::time::Duration;

use anyhow::{Result, ensure};
use plimsoll_core::snapshot::Method;
use plimsoll_postgres::Memory;
use tokio::runtime::Runtime;

use crate::bed::Bed;
use crate::exact::{differences, sizes};
use crate::report::{Report, megabytes};
use crate::ways::{self, Way};

/// The times of one way, one a round.
#[derive(Debug, Default)]
struct Times(Vec<Duration>);

impl Times {
    /// The least disturbed time: nothing makes a measurement too short.
    fn least(&self) -> f64 {
        self.0.iter().min().map_or(0.0, Duration::as_secs_f64)
    }

    fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort();
        sorted
            .get(sorted.len() / 2)
            .map_or(0.0, Duration::as_secs_f64)
    }

    fn told(&self) -> String {
        format!("{:.2} s ({:.2} s)", self.least(), self.median())
    }
}

#[derive(Default)]
struct Measured {
    find: Times,
    files: Times,
    functions: Times,
    functions_on_two: Times,
    changes: Times,
    total: Times,
    table_and_indexes: Times,
    main_forks: Times,
    usual_memory: Option<u64>,
    functions_memory: Option<u64>,
}

/// Measures all ways for some rounds, after one that warms the caches.
pub(crate) fn measure(
    bed: &Bed,
    runtime: &Runtime,
    rounds: u32,
    report: &mut Report,
) -> Result<Memory> {
    let mut memory = Memory::default();
    // Full sweeps that *changes* builds on.
    Way::Changes.visit(runtime, &bed.target, &mut memory)?;
    round(bed, runtime, 0, &mut memory, &mut Measured::default())?;
    let mut measured = Measured::default();
    for n in 1..=rounds {
        crate::say(&format!("round {n} of {rounds}"));
        round(bed, runtime, n, &mut memory, &mut measured)?;
    }
    tell(&measured, bed.tables, report);
    let differ = changes_differ(bed, runtime, rounds + 1, &mut memory)?;
    report.must(
        "changes against a full sweep, after the rounds",
        format!("{} differences", differ.len()),
        "equal to the byte",
        differ.is_empty(),
    );
    Ok(memory)
}

fn round(
    bed: &Bed,
    runtime: &Runtime,
    n: u32,
    memory: &mut Memory,
    measured: &mut Measured,
) -> Result<()> {
    measured.find.0.push(ways::find(bed)?);
    let (took, _) = Way::Files.visit(runtime, &bed.target, &mut Memory::default())?;
    measured.files.0.push(took);

    let (took, bytes) = ways::total(bed)?;
    measured.total.0.push(took);
    measured.usual_memory = measured.usual_memory.max(bytes);

    let (took, snapshot) = Way::Functions.visit(runtime, &bed.target, &mut Memory::default())?;
    measured.functions.0.push(took);
    measured.functions_memory = measured
        .functions_memory
        .max(snapshot.cost.backend_memory_bytes);

    let (took, snapshot) =
        Way::FunctionsOnTwo.visit(runtime, &bed.target, &mut Memory::default())?;
    measured.functions_on_two.0.push(took);
    measured.functions_memory = measured
        .functions_memory
        .max(snapshot.cost.backend_memory_bytes);

    measured
        .table_and_indexes
        .0
        .push(ways::table_and_indexes(bed)?);

    measured.main_forks.0.push(ways::main_forks(bed)?);

    // The short ones once more, beside each other.
    bed.write_one_percent(n)?;
    let (took, snapshot) = Way::Changes.visit(runtime, &bed.target, memory)?;
    ensure!(
        snapshot.method == Method::Changes,
        "a visit by changes fell back to a full sweep"
    );
    measured.changes.0.push(took);
    measured.find.0.push(ways::find(bed)?);
    let (took, _) = Way::Files.visit(runtime, &bed.target, &mut Memory::default())?;
    measured.files.0.push(took);
    Ok(())
}

fn tell(measured: &Measured, tables: u32, report: &mut Report) {
    let total = measured.total.least();
    let files = measured.files.least();
    report.tell("find over the folder, the floor", measured.find.told());
    report.tell(
        "pg_total_relation_size over pg_stat_user_tables",
        measured.total.told(),
    );
    report.tell(
        "pg_class, pg_table_size and pg_indexes_size",
        measured.table_and_indexes.told(),
    );
    report.tell(
        "the main fork of every relation by OID, nothing else",
        measured.main_forks.told(),
    );
    report.tell("files", measured.files.told());
    report.tell("functions", measured.functions.told());
    report.tell(
        "functions, two connections",
        measured.functions_on_two.told(),
    );
    report.tell(
        "changes, 1 % of the tables written",
        measured.changes.told(),
    );

    report.ratio_at_most("files / find", files / measured.find.least(), 2.0, tables);
    report.ratio_at_most(
        "files / pg_total_relation_size",
        files / total,
        0.25,
        tables,
    );
    report.tell(
        "files / (pg_table_size and pg_indexes_size)",
        format!("{:.2}", files / measured.table_and_indexes.least()),
    );
    let functions = measured.functions.least() / total;
    report.ratio_at_most(
        "functions / pg_total_relation_size",
        functions,
        1.35,
        tables,
    );
    report.tell(
        "functions / main forks alone",
        format!(
            "{:.2}",
            measured.functions.least() / measured.main_forks.least()
        ),
    );
    let on_two = measured.functions_on_two.least() / total;
    report.ratio_at_most(
        "functions on two / pg_total_relation_size",
        on_two,
        0.75,
        tables,
    );
    let changes = measured.changes.least() / total;
    report.ratio_at_most("changes / pg_total_relation_size", changes, 0.13, tables);
    match measured.functions_memory {
        Some(bytes) => report.at_most(
            "functions: memory of a backend when it was last looked at",
            megabytes(bytes),
            64.0,
            " MB",
        ),
        None => report.tell(
            "functions: memory of a backend when it was last looked at",
            "not known before PostgreSQL 14".to_owned(),
        ),
    }
    if let Some(bytes) = measured.usual_memory {
        report.tell(
            "pg_total_relation_size: memory of its backend",
            format!("{:.1} MB", megabytes(bytes)),
        );
    }
}

fn changes_differ(
    bed: &Bed,
    runtime: &Runtime,
    n: u32,
    memory: &mut Memory,
) -> Result<Vec<String>> {
    bed.write_one_percent(n)?;
    let (_, changes) = Way::Changes.visit(runtime, &bed.target, memory)?;
    let (_, full) = Way::Functions.visit(runtime, &bed.target, &mut Memory::default())?;
    Ok(differences(&sizes(&changes), &sizes(&full)))
}
