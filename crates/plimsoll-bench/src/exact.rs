//! What a visit must be besides fast: exact, lock-free, and small on both sides.

use std::collections::HashMap;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use plimsoll_core::Oid;
use plimsoll_core::snapshot::{Snapshot, Table, TableKind};
use plimsoll_postgres::Memory;
use tokio::runtime::Runtime;

use crate::bed::{Bed, DATABASE};
use crate::report::{Report, megabytes};
use crate::watch::Watch;
use crate::ways::Way;

/// The name that makes this program visit once and say how large it grew.
pub(crate) const VISIT_ONCE: &str = "visit-once";

/// Bytes of every relation of a snapshot, with the table that owns it.
pub(crate) fn sizes(snapshot: &Snapshot) -> HashMap<Oid, (Oid, Option<u64>)> {
    snapshot
        .tables
        .iter()
        .flat_map(|table| parts(table).map(|(oid, bytes)| (oid, (table.oid, bytes))))
        .collect()
}

/// As [`sizes`], of what users made and the churn does not touch.
pub(crate) fn user_sizes(snapshot: &Snapshot, except: &str) -> HashMap<Oid, (Oid, Option<u64>)> {
    snapshot
        .tables
        .iter()
        .filter(|table| table.kind != TableKind::Catalog && &*table.schema_name != except)
        .flat_map(|table| parts(table).map(|(oid, bytes)| (oid, (table.oid, bytes))))
        .collect()
}

fn parts(table: &Table) -> impl Iterator<Item = (Oid, Option<u64>)> {
    std::iter::once((table.oid, table.heap.size.bytes))
        .chain(table.toast.iter().flat_map(|toast| {
            [
                (toast.oid, toast.heap.size.bytes),
                (toast.index_oid, toast.index.size.bytes),
            ]
        }))
        .chain(
            table
                .indexes
                .iter()
                .map(|index| (index.oid, index.storage.size.bytes)),
        )
}

/// How two snapshots differ, relation by relation.
pub(crate) fn differences(
    one: &HashMap<Oid, (Oid, Option<u64>)>,
    other: &HashMap<Oid, (Oid, Option<u64>)>,
) -> Vec<String> {
    let missing = other.keys().filter(|oid| !one.contains_key(oid));
    let mut differences: Vec<String> = missing
        .map(|oid| format!("relation {oid} is only in the second"))
        .collect();
    for (oid, size) in one {
        if other.get(oid) != Some(size) {
            differences.push(format!("relation {oid}: {size:?}, {:?}", other.get(oid)));
        }
    }
    differences
}

/// Checks *files* against *functions*, its locks, its spilling, and this process's memory.
pub(crate) fn check(bed: &Bed, runtime: &Runtime, report: &mut Report) -> Result<()> {
    bed.wait_until_alone()?;
    let spilled = (temp_bytes(bed)?, temp_files_logged(bed));
    let watch = Watch::locks(bed.session()?);
    let (_, files) = Way::Files.visit(runtime, &bed.target, &mut Memory::default())?;
    let locks = watch.stop()?;
    report.must(
        "files: locks on user relations during the visit",
        format!("{} in {} looks", locks.most, locks.looks),
        "0",
        locks.most == 0 && files.cost.user_relation_locks == 0 && locks.looks > 0,
    );
    bed.wait_until_alone()?;
    let spilled = (
        temp_bytes(bed)? - spilled.0,
        temp_files_logged(bed) - spilled.1,
    );
    report.must(
        "files: temporary files on the server",
        format!("{} bytes, {} files", spilled.0, spilled.1),
        "0",
        spilled == (0, 0),
    );

    let postmaster = bed
        .server
        .postmaster_pid()
        .context("the server has no process")?;
    let backends = Watch::backends(postmaster, DATABASE);
    let watch = Watch::locks(bed.session()?);
    let (_, functions) = Way::Functions.visit(runtime, &bed.target, &mut Memory::default())?;
    let locks = watch.stop()?;
    report.at_most(
        "functions: most private memory of any of its backends",
        megabytes(backends.stop()?),
        64.0,
        " MB",
    );
    report.tell(
        "functions, watched in the same way, for comparison",
        format!("{} in {} looks", locks.most, locks.looks),
    );
    let differ = differences(&sizes(&files), &sizes(&functions));
    for difference in differ.iter().take(10) {
        crate::say(difference);
    }
    report.must(
        "files against functions, every relation",
        format!("{} of {} differ", differ.len(), sizes(&files).len()),
        "equal to the byte",
        differ.is_empty(),
    );
    for way in Way::ALL {
        report.at_most(
            &format!("peak memory of a process that visits by {}", way.name()),
            megabytes(peak_of_a_new_process(bed, way)?),
            200.0,
            " MB",
        );
    }
    Ok(())
}

fn temp_bytes(bed: &Bed) -> Result<i64> {
    let sql = "select temp_bytes from pg_stat_database where datname = current_database()";
    Ok(bed.ask(sql)?.parse()?)
}

fn temp_files_logged(bed: &Bed) -> usize {
    bed.server.log().matches("temporary file:").count()
}

/// `VmHWM` of a process that has made a visit, and for *changes* a second one on top of it.
fn peak_of_a_new_process(bed: &Bed, way: Way) -> Result<u64> {
    let program = std::env::current_exe().context("finding this program")?;
    let output = Command::new(program)
        .args([VISIT_ONCE, &bed.server.url(DATABASE), way.name()])
        .output()
        .context("starting this program again")?;
    ensure!(
        output.status.success(),
        "a visit by {} in a process of its own failed: {}",
        way.name(),
        String::from_utf8_lossy(&output.stderr)
    );
    peak_bytes(&String::from_utf8_lossy(&output.stdout))
}

/// `VmHWM`, the most memory that a process has had, from its `/proc/PID/status`.
pub(crate) fn peak_bytes(status: &str) -> Result<u64> {
    let kilobytes: u64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.split_whitespace().next())
        .context("/proc has no VmHWM of a process")?
        .parse()?;
    Ok(kilobytes * 1024)
}
