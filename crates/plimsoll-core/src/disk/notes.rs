//! What is known about each part, to be told with its change: who holds WAL, who writes temporary files, else what the
//! part consists of and what makes it grow.

use super::layout::Place;
use super::part::{Kind, Part, bytes_of};
use super::pulse::{Pulse, Writer};
use super::wal::WalSize;
use super::why::Note;
use crate::size_text::pretty;

/// Of a query's text no more is shown.
const LONGEST_QUERY: usize = 300;

/// What the last pulse tells of a volume's parts: one note for each kind that there is.
pub(super) fn notes(
    pulse: &Pulse,
    on: &[&Place],
    parts: &[Part],
    capacity_bytes: Option<u64>,
) -> Vec<Note> {
    let mut kinds: Vec<Kind> = parts.iter().map(|part| part.part).collect();
    kinds.dedup();
    let measured = kinds.into_iter().filter(|kind| !kind.is_rest());
    measured
        .map(|kind| Note {
            part: kind,
            name: None,
            text: match kind {
                Kind::Wal => wal(pulse, on, parts, capacity_bytes),
                Kind::Temporary => temporary(pulse),
                other => consists_of(other).to_owned(),
            },
        })
        .collect()
}

fn wal(pulse: &Pulse, on: &[&Place], parts: &[Part], capacity_bytes: Option<u64>) -> String {
    let level = WalSize {
        max_wal_bytes: pulse.max_wal_bytes.known().copied(),
        wal_bytes: bytes_of(parts, Kind::Wal),
        capacity_bytes,
    };
    let holders = pulse.holders.known().map(Vec::as_slice).unwrap_or_default();
    let first = holders.first().filter(|_| on.contains(&&Place::Wal));
    if let Some(holder) = first.filter(|holder| level.is_trouble(holder)) {
        return holder.text();
    }
    match (level.max_wal_bytes, level.wal_bytes) {
        (Some(most), Some(bytes)) if bytes > most => format!(
            "more than max_wal_size ({}) and nothing holds it: the next checkpoints remove it",
            pretty(most)
        ),
        (Some(most), _) => format!("below max_wal_size ({}) it is used again", pretty(most)),
        (None, _) => "written since; max_wal_size is not known".to_owned(),
    }
}

fn temporary(pulse: &Pulse) -> String {
    let writers = pulse.writers.known().map(Vec::as_slice).unwrap_or_default();
    match writers {
        [] => "files of statements, until they end".to_owned(),
        [only] => session(only),
        [first, others @ ..] => format!("{} and {} more", session(first), others.len()),
    }
}

fn session(writer: &Writer) -> String {
    let user = writer
        .user
        .as_deref()
        .map_or_else(String::new, |user| format!(" of {user}"));
    let since = writer
        .since
        .map_or_else(String::new, |since| format!(", since {since:.0}"));
    let query = writer.query.as_deref().map_or_else(String::new, |query| {
        let words: Vec<&str> = query.split_whitespace().collect();
        format!(
            ": {}",
            words
                .join(" ")
                .chars()
                .take(LONGEST_QUERY)
                .collect::<String>()
        )
    });
    format!("session {}{user}{since}{query}", writer.pid)
}

/// What a kind of part consists of.
pub(super) const fn consists_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Database => "plimsoll growth tells in which tables",
        Kind::Global => "what all databases share",
        Kind::Wal => "segments in pg_wal",
        Kind::Temporary => "files of statements, until they end",
        Kind::Log => "the server's log files",
        Kind::Replication => "spilled changes and snapshots of slots",
        Kind::TransactionStatus => "goes when old transactions are frozen",
        Kind::OtherInDataDirectory => "statistics and other files",
        Kind::Instance => "plimsoll disk --instance tells why",
        Kind::Plimsoll => "its own history: plimsoll store",
        Kind::Elsewhere => "not PostgreSQL's",
        Kind::FileSystem => "compression, holes and shared blocks",
        Kind::Unexplained => "no part explains it",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::memory::Memory;
    use crate::disk::state::tests::{at, full, pulse};
    use crate::instance::Figure;

    const GB: u64 = 1_000_000_000;

    /// The text of the WAL's note.
    fn wal_of(seen: &Pulse, capacity_bytes: Option<u64>) -> String {
        let parts: Vec<Part> = seen.parts.iter().map(|(_, part)| part.clone()).collect();
        let on = [&Place::Data, &Place::Wal];
        let all = notes(seen, &on, &parts, capacity_bytes);
        let note = all.into_iter().find(|note| note.part == Kind::Wal);
        note.unwrap().text
    }

    #[test]
    fn a_level_of_wal_that_is_not_known_is_no_number() {
        let mut seen = pulse(0, GB, 5);
        assert!(wal_of(&seen, Some(500 * GB)).contains("slot standby"));
        seen.max_wal_bytes = Figure::Absent("not shown".to_owned());
        // 11 GB are little of 500 GB, and much of 100 GB.
        let text = wal_of(&seen, Some(500 * GB));
        assert!(text.contains("not known"), "{text}");
        assert!(wal_of(&seen, Some(100 * GB)).contains("slot standby"));
        assert!(wal_of(&seen, None).contains("not known"));
        seen.max_wal_bytes = Figure::Known(50 * GB);
        assert!(wal_of(&seen, None).contains("used again"));
        (seen.max_wal_bytes, seen.holders) = (Figure::Known(GB), Figure::Known(Vec::new()));
        assert!(wal_of(&seen, None).contains("nothing holds it"));
    }

    #[test]
    fn every_cause_says_something() {
        let mut memory = Memory::default();
        memory.observe(pulse(0, 0, 5), Some(&full(0)));
        let mut later = pulse(1, GB, 5);
        let mut more = full(1);
        for (_, part) in later.parts.iter_mut().chain(&mut more) {
            part.bytes = part.bytes.map(|bytes| bytes + 1000);
        }
        memory.observe(later, Some(&more));
        let volume = memory.disk(Some(at(0)), at(1)).volumes.remove(0);
        assert!(volume.why.len() > 6, "{:?}", volume.why);
        for cause in &volume.why {
            assert!(!cause.text.is_empty(), "{cause:?}");
        }
    }
}
