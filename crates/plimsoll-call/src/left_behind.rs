//! What a program left behind: whatever still carries the mark that it was given in its environment, also in a group and
//! session of its own, and with no parent of it alive. Who drops the mark is not found.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process};

/// The variable that carries the mark.
pub(crate) const MARK: &str = "PLIMSOLL_CALL";

/// Whoever starts others while they are ended is looked for so often.
const LOOKS: usize = 5;

/// A mark that no other call has.
pub(crate) fn mark() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanos = since.map_or(0, |since| since.as_nanos());
    format!("{}.{number}.{nanos}", std::process::id())
}

/// Ends every process that carries a mark.
pub(crate) fn end_marked(mark: &str) {
    for _ in 0..LOOKS {
        let marked = marked(mark);
        if marked.is_empty() {
            return;
        }
        for process in marked {
            // It may be gone already.
            let _ = kill_process(process, Signal::KILL);
        }
    }
}

fn marked(mark: &str) -> Vec<Pid> {
    let entry = format!("{MARK}={mark}");
    let carries = |id: i32| {
        // That of another user cannot be read, and is none of ours.
        let environment = std::fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        let mut variables = environment.split(|&byte| byte == 0);
        variables.any(|variable| variable == entry.as_bytes())
    };
    let Ok(all) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    all.filter_map(|process| process.ok()?.file_name().to_str()?.parse().ok())
        .filter(|&id| carries(id))
        .filter_map(Pid::from_raw)
        .collect()
}
