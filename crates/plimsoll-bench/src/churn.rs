//! Tables that two connections create, fill, truncate, rewrite and drop beside visits.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use plimsoll_core::Oid;
use plimsoll_core::size::Status;
use plimsoll_core::snapshot::Snapshot;
use plimsoll_postgres::Memory;
use tokio::runtime::Runtime;

use crate::bed::Bed;
use crate::exact::user_sizes;
use crate::report::Report;
use crate::ways::Way;

const SCHEMA: &str = "churn";
const CONNECTIONS: u32 = 2;

/// No relation of the churn is ever larger: some 200 rows of 100 bytes, with free space and visibility map.
const LARGEST: u64 = 256 << 10;

type Sizes = HashMap<Oid, (Oid, Option<u64>)>;

/// Makes visits beside the churn for a while.
pub(crate) fn check(
    bed: &Bed,
    runtime: &Runtime,
    memory: &mut Memory,
    seconds: u64,
    report: &mut Report,
) -> Result<()> {
    bed.session()?.run("create schema churn")?;
    let (_, quiet) = Way::Functions.visit(runtime, &bed.target, &mut Memory::default())?;
    let quiet = Quiet {
        sizes: user_sizes(&quiet, SCHEMA),
        total_bytes: quiet
            .totals
            .total_bytes
            .ok_or_else(|| anyhow!("the quiet database has no total"))?,
    };
    let stop = AtomicBool::new(false);
    let started = Instant::now();
    let (cycles, visited) = thread::scope(|scope| -> Result<(u64, Visited)> {
        let stop = &stop;
        let threads: Vec<_> = (0..CONNECTIONS)
            .map(|n| scope.spawn(move || turn(bed, n, stop)))
            .collect();
        let mut visited = Visited::default();
        while started.elapsed() < Duration::from_secs(seconds) {
            for way in Way::ALL {
                match way.visit(runtime, &bed.target, memory) {
                    Ok((_, snapshot)) => visited.look(way, &snapshot, &quiet),
                    Err(error) => visited.errors.push(format!("{error:#}")),
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
        let mut cycles = 0;
        for thread in threads {
            cycles += thread
                .join()
                .map_err(|_| anyhow!("a connection of the churn panicked"))??;
        }
        Ok((cycles, visited))
    })?;
    let took = started.elapsed().as_secs_f64();
    for text in visited.errors.iter().chain(&visited.absurd).take(10) {
        crate::say(text);
    }
    let a_second = f64::from(u32::try_from(cycles)?) / took;
    report.must(
        &format!("churn: full cycles a second, for {took:.0} s"),
        format!("{a_second:.0}"),
        "at least 50",
        a_second >= 50.0,
    );
    report.must(
        "churn: visits, and those that failed",
        format!("{}, {}", visited.visits, visited.errors.len()),
        "none fails",
        visited.visits > 0 && visited.errors.is_empty(),
    );
    report.must(
        "churn: wrong owners, negative or absurd sizes",
        format!(
            "{} in {} sizes of churned relations",
            visited.absurd.len(),
            visited.churned
        ),
        "0",
        visited.absurd.is_empty() && visited.churned > 0,
    );
    bed.wait_until_alone()
}

/// One connection: cycle after cycle.
fn turn(bed: &Bed, connection: u32, stop: &AtomicBool) -> Result<u64> {
    let mut session = bed.session()?;
    let mut cycles = 0;
    while !stop.load(Ordering::Relaxed) {
        let name = format!("{SCHEMA}.t{connection}_{cycles}");
        let fill =
            format!("insert into {name} select g, repeat('x', 100) from generate_series(1, 200) g");
        for sql in [
            &format!("create table {name} (id bigint primary key, payload text)"),
            &fill,
            &format!("truncate {name}"),
            &fill,
            // A rewrite as VACUUM FULL does it, which would also read all of pg_class at its end.
            &format!("cluster {name} using t{connection}_{cycles}_pkey"),
            &format!("drop table {name}"),
        ] {
            session.run(sql)?;
        }
        cycles += 1;
    }
    Ok(cycles)
}

/// The database before the churn.
struct Quiet {
    sizes: Sizes,
    total_bytes: u64,
}

#[derive(Debug, Default)]
struct Visited {
    visits: u64,
    churned: u64,
    errors: Vec<String>,
    absurd: Vec<String>,
}

impl Visited {
    /// What nobody touches must be as it was, to the byte: bytes that went to a wrong owner show there.
    fn look(&mut self, way: Way, snapshot: &Snapshot, quiet: &Quiet) {
        self.visits += 1;
        let way = way.name();
        let now = user_sizes(snapshot, SCHEMA);
        for (oid, size) in &quiet.sizes {
            if now.get(oid) != Some(size) {
                let now = now.get(oid);
                self.absurd.push(format!(
                    "{way}: relation {oid}, which nobody touches, was {size:?} and is {now:?}"
                ));
            }
        }
        if now.len() != quiet.sizes.len() {
            self.absurd.push(format!(
                "{way}: {} relations outside the churn, there were {}",
                now.len(),
                quiet.sizes.len()
            ));
        }
        for table in &snapshot.tables {
            if &*table.schema_name != SCHEMA {
                continue;
            }
            self.churned += 1;
            if let Some(size) = table.parts().find(|size| size.bytes > Some(LARGEST)) {
                self.absurd
                    .push(format!("{way}: {} has {size:?}", table.table_name));
            }
            // Even the index of an empty table has a page; the file that TRUNCATE left behind has none.
            let key = format!("{}_pkey", table.table_name);
            for index in &table.indexes {
                let size = &index.storage.size;
                let is_wrong_zero =
                    size.is_measured() && size.status == Status::Ok && size.bytes == Some(0);
                if is_wrong_zero || *index.index_name != *key {
                    self.absurd
                        .push(format!("{way}: {} owns {index:?}", table.table_name));
                }
            }
        }
        let totals = &snapshot.totals;
        let beside = [totals.unattributed_bytes, totals.unmeasured_bytes];
        let parts = totals.attributed_bytes + beside.into_iter().flatten().sum::<u64>();
        let known: u64 = quiet.sizes.values().filter_map(|(_, bytes)| *bytes).sum();
        let most = quiet.total_bytes + (1 << 30);
        let is_possible = |total| total == parts && (known..=most).contains(&total);
        if !totals.total_bytes.is_some_and(is_possible) {
            self.absurd.push(format!("{way}: {totals:?}"));
        }
    }
}
