//! A migration that takes and waits for ACCESS EXCLUSIVE locks on 1,000 tables beside visits.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use plimsoll_core::size::Status;
use plimsoll_core::snapshot::{Method, Snapshot, TableKind};
use plimsoll_postgres::Memory;
use tokio::runtime::Runtime;

use crate::bed::{Bed, value};
use crate::report::Report;
use crate::watch::{Waits, Watch};
use crate::ways::Way;

const TABLES: u32 = 1000;
/// Of the tables, those that somebody reads, so that the migration waits for them.
const READ: u32 = 10;

/// Makes visits beside the migration. `memory` has a full sweep from before it.
pub(crate) fn check(
    bed: &Bed,
    runtime: &Runtime,
    memory: &mut Memory,
    report: &mut Report,
) -> Result<()> {
    let names = bed.names(1, TABLES);
    let (read, free) = names.split_at(usize::try_from(READ)?);
    let mut migration = bed.session()?;
    migration.run("begin")?;
    migration.run(&format!(
        "lock table {} in access exclusive mode",
        free.join(", ")
    ))?;
    let mut reader = bed.session()?;
    reader.run("begin")?;
    reader.run(&format!(
        "lock table {} in access share mode",
        read.join(", ")
    ))?;

    let stop = AtomicBool::new(false);
    let result = thread::scope(|scope| -> Result<()> {
        let waiting: Vec<_> = read
            .iter()
            .map(|name| scope.spawn(move || lock_once(bed, name)))
            .collect();
        // Takes lock after lock, each for a moment: what was free when the visit looked is taken when its turn comes.
        let moving = scope.spawn(|| lock_in_turn(bed, &stop));
        let seen =
            wait_for_waiters(bed).and_then(|()| visits(bed, runtime, memory, &names, report));
        stop.store(true, Ordering::Relaxed);
        reader.run("commit")?;
        migration.run("commit")?;
        for thread in waiting {
            thread.join().map_err(|_| anyhow!("a waiter panicked"))??;
        }
        let turns = moving
            .join()
            .map_err(|_| anyhow!("the moving migration panicked"))??;
        report.tell(
            "migration: further locks taken one after the other meanwhile",
            turns.to_string(),
        );
        seen
    });
    drop((migration, reader));
    result?;
    bed.wait_until_alone()
}

fn lock_once(bed: &Bed, name: &str) -> Result<()> {
    let mut session = bed.session()?;
    session.run("begin")?;
    session.run(&format!("lock table {name} in access exclusive mode"))?;
    session.run("commit")?;
    Ok(())
}

fn lock_in_turn(bed: &Bed, stop: &AtomicBool) -> Result<u64> {
    let mut session = bed.session()?;
    let mut turns = 0;
    let names = bed.names(TABLES + 1, bed.tables.saturating_sub(TABLES));
    for name in names.iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        session.run("begin")?;
        session.run(&format!("lock table {name} in access exclusive mode"))?;
        thread::sleep(Duration::from_millis(2));
        session.run("commit")?;
        turns += 1;
    }
    Ok(turns)
}

fn wait_for_waiters(bed: &Bed) -> Result<()> {
    let mut session = bed.session()?;
    let deadline = Instant::now() + Duration::from_secs(30);
    let sql = "select count(distinct relation) from pg_locks
               where mode = 'AccessExclusiveLock' and relation >= 16384";
    while value(&mut session, sql)?.parse::<u32>()? < TABLES {
        if Instant::now() > deadline {
            bail!("the migration did not come to its locks within 30 seconds");
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn visits(
    bed: &Bed,
    runtime: &Runtime,
    memory: &mut Memory,
    names: &[String],
    report: &mut Report,
) -> Result<()> {
    let watch = Watch::waits(bed.session()?);
    for way in Way::ALL {
        let kept = if way == Way::Changes {
            &mut *memory
        } else {
            &mut Memory::default()
        };
        let (took, snapshot) = way.visit(runtime, &bed.target, kept)?;
        let deadline = way.options().deadline;
        report.must(
            &format!("migration: a visit by {}", way.name()),
            format!("{:.2} s", took.as_secs_f64()),
            &format!("within its deadline of {} s", deadline.as_secs()),
            took < deadline && !has(&snapshot, Status::TimedOut),
        );
        let named = named(&snapshot, names);
        let unnamed = unnamed(&snapshot);
        report.must(
            &match way {
                Way::Files => "migration: locked tables that files measures".to_owned(),
                _ => format!("migration: tables that {} names as locked", way.name()),
            },
            format!("{named} of {}, {unnamed} without reason", names.len()),
            "all",
            named == names.len() && unnamed == 0,
        );
    }
    let Waits {
        looks,
        with_a_wait,
        longest,
    } = watch.stop()?;
    report.at_most(
        &format!("migration: longest wait for Plimsoll ({with_a_wait} of {looks} looks)"),
        longest.as_secs_f64() * 1000.0,
        10.0,
        " ms",
    );
    Ok(())
}

fn has(snapshot: &Snapshot, status: Status) -> bool {
    snapshot
        .tables
        .iter()
        .any(|table| table.size().status == status)
}

/// How many of the tables carry status `locked`; by *files*, which waits for no lock, how many are measured and
/// say so.
fn named(snapshot: &Snapshot, names: &[String]) -> usize {
    let expected = match snapshot.method {
        Method::Files => Status::Ok,
        Method::Functions | Method::Changes => Status::Locked,
    };
    let locked: HashSet<String> = snapshot
        .tables
        .iter()
        .filter(|table| table.size().status == expected)
        .map(|table| format!("{}.{}", table.schema_name, table.table_name))
        .collect();
    names.iter().filter(|name| locked.contains(*name)).count()
}

/// How many relations were not read although their status says so.
fn unnamed(snapshot: &Snapshot) -> usize {
    snapshot
        .tables
        .iter()
        .filter(|table| table.kind != TableKind::Partitioned)
        .flat_map(plimsoll_core::snapshot::Table::parts)
        .filter(|size| !size.is_measured() && size.status == Status::Ok)
        .count()
}
