//! Looks at a server from beside, as often as it can, while a visit is under way.

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use throwaway_postgres::Session;

use crate::bed::value;

/// Between two looks, so that looking leaves the machine to what is looked at.
const PAUSE: Duration = Duration::from_millis(1);

/// Something that is looked at until it is told to stop.
pub(crate) struct Watch<T> {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<T>>,
}

impl<T: Send + 'static> Watch<T> {
    fn start(look_until: impl FnOnce(&AtomicBool) -> Result<T> + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        Self {
            stop,
            thread: thread::spawn(move || look_until(&told)),
        }
    }

    /// Stops, and returns what was seen.
    pub(crate) fn stop(self) -> Result<T> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread
            .join()
            .map_err(|_| anyhow!("a thread that watched the server panicked"))?
    }
}

/// Locks on user relations that visits held.
#[derive(Debug, Default)]
pub(crate) struct Locks {
    pub looks: u64,
    /// The most at one look.
    pub most: u64,
}

impl Watch<Locks> {
    /// Counts the locks of visits in `pg_locks`.
    pub(crate) fn locks(mut session: Session) -> Self {
        Self::start(move |stop| {
            let mut seen = Locks::default();
            while !stop.load(Ordering::Relaxed) {
                let held = value(&mut session, include_str!("watch/locks.sql"))?.parse()?;
                seen.looks += 1;
                seen.most = seen.most.max(held);
                thread::sleep(PAUSE);
            }
            Ok(seen)
        })
    }
}

/// Sessions that waited for a visit.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    pub looks: u64,
    /// Looks that found somebody waiting.
    pub with_a_wait: u64,
    /// The longest time over which one session was seen waiting for one of ours.
    pub longest: Duration,
}

impl Watch<Waits> {
    /// Follows in `pg_blocking_pids` who waits for visits, and how long.
    pub(crate) fn waits(mut session: Session) -> Self {
        Self::start(move |stop| {
            let mut seen = Waits::default();
            let mut since: HashMap<(String, String), Instant> = HashMap::new();
            while !stop.load(Ordering::Relaxed) {
                let now = Instant::now();
                let rows = session.run(include_str!("watch/waiting.sql"))?;
                let waiting: Vec<(String, String)> = rows
                    .into_iter()
                    .filter_map(|row| {
                        let mut row = row.into_iter();
                        Some((row.next()??, row.next()??))
                    })
                    .collect();
                since.retain(|pair, _| waiting.contains(pair));
                seen.looks += 1;
                seen.with_a_wait += u64::from(!waiting.is_empty());
                for pair in waiting {
                    let began = *since.entry(pair).or_insert(now);
                    seen.longest = seen.longest.max(now - began);
                }
                thread::sleep(PAUSE);
            }
            Ok(seen)
        })
    }
}

impl Watch<u64> {
    /// Follows the private memory of every backend that visits a database, from the operating system's
    /// side: the most bytes that any one of them had.
    pub(crate) fn backends(postmaster: u32, database: &'static str) -> Self {
        Self::start(move |stop| {
            let mut most = 0;
            while !stop.load(Ordering::Relaxed) {
                for entry in fs::read_dir("/proc")?.flatten() {
                    let folder = entry.path();
                    // A process may be gone by now.
                    let read =
                        |file: &str| fs::read_to_string(folder.join(file)).unwrap_or_default();
                    let status = read("status");
                    if field(&status, "PPid:") == Some(u64::from(postmaster))
                        && read("cmdline").contains(&format!(" {database} "))
                    {
                        most = most.max(field(&status, "RssAnon:").unwrap_or(0) * 1024);
                    }
                }
                thread::sleep(PAUSE * 10);
            }
            Ok(most)
        })
    }
}

/// A number of `/proc/PID/status`.
fn field(status: &str, name: &str) -> Option<u64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}
