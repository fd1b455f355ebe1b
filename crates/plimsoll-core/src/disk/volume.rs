//! A volume's parts, made to add up to its used bytes, always.
//!
//! What is measured stays as it is; `elsewhere`, `file_system` and `unexplained` take the rest, and which of them does
//! follows from what could be seen. The rest of a full look is `elsewhere` only when all of the data directory was
//! seen. What changed since and no part explains is `unexplained`: nobody knows yet whose it is.

use jiff::Timestamp;

use super::part::{Kind, Part};
use crate::size::signed;

/// Why it is not known what a volume uses of which only a number is configured.
pub const NUMBER_ALONE: &str =
    "only a number is known of the volume: what else lies there is not seen";

/// Whether sizes of files are what they take of the volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSystem {
    /// They are, but for holes.
    Plain,
    /// It compresses or shares blocks: neither `stat` nor blocks say what a file takes.
    Compressing,
}

impl FileSystem {
    /// By the type in mountinfo.
    pub fn of(fs_type: &str) -> Self {
        match fs_type {
            "btrfs" | "zfs" | "bcachefs" | "f2fs" | "squashfs" | "erofs" | "ntfs3" => {
                Self::Compressing
            }
            _ => Self::Plain,
        }
    }
}

/// All parts of a volume at a full look: the measured ones and the three rests. They add up to `used_bytes`.
///
/// A volume of which only the capacity is known has no rests, and `reason` says so.
pub fn full_look(
    used_bytes: Result<u64, String>,
    measured: Vec<Part>,
    file_system: FileSystem,
    now: Timestamp,
) -> Vec<Part> {
    let used = match used_bytes {
        Ok(used) => signed(used),
        Err(reason) => {
            return with_rests(measured, |kind| Part::unknown(kind, None, reason.clone()));
        }
    };
    let rest = used.saturating_sub(known_bytes(&measured));
    let unseen = unseen(&measured);
    let compresses = file_system == FileSystem::Compressing;
    let from_compression = "what is elsewhere cannot be told from what the file system saves by compressing or sharing";
    with_rests(measured, |kind| match kind {
        // More than the volume uses: only the file system can have saved that.
        Kind::FileSystem if rest < 0 => Part::rest(kind, rest, now),
        Kind::FileSystem if compresses => Part::unknown(kind, None, from_compression),
        Kind::Elsewhere if unseen.is_some() => Part::unknown(
            kind,
            None,
            format!(
                "not while parts of the data directory cannot be seen: {}",
                unseen.as_deref().unwrap_or_default()
            ),
        ),
        Kind::Elsewhere if rest < 0 && compresses => Part::unknown(kind, None, from_compression),
        Kind::Elsewhere => Part::rest(kind, rest.max(0), now),
        Kind::Unexplained if unseen.is_some() => Part::rest(kind, rest.max(0), now),
        _ => Part::rest(kind, 0, now),
    })
}

/// All parts at a pulse: those that it measured, the others as of the last look, and the change that neither explains.
/// They add up to `used_bytes`.
pub fn at_pulse(
    used_bytes: Result<u64, String>,
    measured: Vec<Part>,
    last: &[Part],
    now: Timestamp,
) -> Vec<Part> {
    let mut parts = measured;
    let came: i64 = parts
        .iter()
        .filter(|part| part.part.is_others() && last.iter().all(|it| it.key() != part.key()))
        .filter_map(|part| part.bytes)
        .sum();
    for part in last {
        if part.part != Kind::Unexplained && parts.iter().all(|newer| newer.key() != part.key()) {
            parts.push(part.clone());
        }
    }
    // Whose it is, is known only now: it was elsewhere before.
    if let Some(elsewhere) = parts.iter_mut().find(|it| it.part == Kind::Elsewhere) {
        elsewhere.bytes = elsewhere.bytes.map(|bytes| bytes - came.min(bytes).max(0));
    }
    parts.push(match used_bytes {
        Ok(used) => Part::rest(
            Kind::Unexplained,
            signed(used).saturating_sub(known_bytes(&parts)),
            now,
        ),
        Err(reason) => Part::unknown(Kind::Unexplained, None, reason),
    });
    in_order(parts)
}

/// The sum of what is known.
pub fn known_bytes(parts: &[Part]) -> i64 {
    parts
        .iter()
        .filter_map(|part| part.bytes)
        .fold(0, i64::saturating_add)
}

/// What no part has, where that is known.
pub fn unexplained_bytes(parts: &[Part]) -> Option<i64> {
    let mut rest = parts.iter().filter(|part| part.part == Kind::Unexplained);
    rest.next().and_then(|part| part.bytes)
}

/// Whether so much is more than the larger of 1 GB and 1 % of the capacity: when that came since the last full look and
/// is unexplained, totals are read early.
pub fn is_much(bytes: i64, capacity_bytes: u64) -> bool {
    bytes.unsigned_abs() > (capacity_bytes / 100).max(1_000_000_000)
}

/// The volume's bytes for each byte that files say they have, where the file system saves some; else 1.
pub fn scale(parts: &[Part]) -> f64 {
    let saved: i64 = parts
        .iter()
        .filter(|part| part.part == Kind::FileSystem)
        .filter_map(|part| part.bytes)
        .sum();
    let files: i64 = parts
        .iter()
        .filter(|part| !part.part.is_rest())
        .filter_map(|part| part.bytes)
        .sum();
    if files <= 0 || saved >= 0 {
        return 1.0;
    }
    ((files + saved) as f64 / files as f64).clamp(0.0, 1.0)
}

/// The parts of the data directory that were not or not wholly seen, as text; none if all were.
fn unseen(parts: &[Part]) -> Option<String> {
    let names: Vec<String> = parts
        .iter()
        .filter(|part| part.part.is_in_data_directory() && !part.is_whole())
        .map(|part| text(part.part, part.name.as_deref()))
        .collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// A part's name for people.
pub fn text(part: Kind, name: Option<&str>) -> String {
    let kind = match part {
        Kind::Database => "database",
        Kind::Global => "global",
        Kind::Wal => "WAL",
        Kind::Temporary => "temporary",
        Kind::Log => "log",
        Kind::Replication => "replication",
        Kind::TransactionStatus => "transaction status",
        Kind::OtherInDataDirectory => "other in the data directory",
        Kind::Instance => "instance",
        Kind::Plimsoll => "Plimsoll",
        Kind::Elsewhere => "elsewhere",
        Kind::FileSystem => "file system",
        Kind::Unexplained => "unexplained",
    };
    name.map_or_else(|| kind.to_owned(), |name| format!("{kind} {name}"))
}

fn with_rests(mut parts: Vec<Part>, rest: impl Fn(Kind) -> Part) -> Vec<Part> {
    parts.extend([Kind::Elsewhere, Kind::FileSystem, Kind::Unexplained].map(rest));
    in_order(parts)
}

/// By kind, and the largest first within one.
fn in_order(mut parts: Vec<Part>) -> Vec<Part> {
    parts.sort_by(|a, b| (a.part, b.bytes, &a.name).cmp(&(b.part, a.bytes, &b.name)));
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::disk::part::Source;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn part(kind: Kind, bytes: u64) -> Part {
        Part::measured(kind, None, bytes, Source::Files, NOW)
    }

    fn bytes(parts: &[Part], kind: Kind) -> Option<i64> {
        parts.iter().find(|part| part.part == kind).unwrap().bytes
    }

    #[test]
    fn what_is_left_is_elsewhere_only_when_all_of_the_data_directory_was_seen() {
        use FileSystem::{Compressing, Plain};
        let hidden = || Part::unknown(Kind::Log, None, "the role needs pg_monitor");
        let some = || part(Kind::Log, 5).at_least("pg_ls_tmpdir leaves out filesets");
        // used, the second part, file system; elsewhere, file_system, unexplained
        let cases = [
            (
                100,
                part(Kind::Log, 20),
                Plain,
                (Some(50), Some(0), Some(0)),
            ),
            (100, hidden(), Plain, (None, Some(0), Some(70))),
            (100, some(), Plain, (None, Some(0), Some(65))),
            (
                40,
                part(Kind::Log, 20),
                Plain,
                (Some(0), Some(-10), Some(0)),
            ),
            (
                100,
                part(Kind::Log, 20),
                Compressing,
                (Some(50), None, Some(0)),
            ),
            (
                9,
                part(Kind::Log, 70),
                Compressing,
                (None, Some(-91), Some(0)),
            ),
            (9, hidden(), Compressing, (None, Some(-21), Some(0))),
        ];
        for (used, second, file_system, expected) in cases {
            let parts = full_look(
                Ok(used),
                vec![part(Kind::Database, 30), second],
                file_system,
                NOW,
            );
            let rests = [Kind::Elsewhere, Kind::FileSystem, Kind::Unexplained]
                .map(|kind| bytes(&parts, kind));
            assert_eq!(
                (rests[0], rests[1], rests[2]),
                expected,
                "{used} {file_system:?}"
            );
            assert_eq!(known_bytes(&parts), i64::try_from(used).unwrap());
        }
    }

    #[test]
    fn a_number_alone_says_nothing_of_what_is_used() {
        let parts = full_look(
            Err("only a number is configured".into()),
            vec![part(Kind::Wal, 7)],
            FileSystem::Plain,
            NOW,
        );
        assert_eq!(known_bytes(&parts), 7);
        for kind in [Kind::Elsewhere, Kind::FileSystem, Kind::Unexplained] {
            let rest = parts.iter().find(|part| part.part == kind).unwrap();
            assert_eq!(
                (rest.bytes, rest.unknown.as_deref()),
                (None, Some("only a number is configured"))
            );
        }
    }

    #[test]
    fn what_changed_since_the_last_look_is_unexplained_and_never_elsewhere() {
        let measured = vec![part(Kind::Database, 30), part(Kind::Wal, 10)];
        let last = full_look(Ok(100), measured, FileSystem::Plain, NOW);
        let parts = at_pulse(Ok(180), vec![part(Kind::Wal, 25)], &last, NOW);
        assert_eq!(bytes(&parts, Kind::Elsewhere), Some(60));
        assert_eq!(
            (bytes(&parts, Kind::Wal), bytes(&parts, Kind::Database)),
            (Some(25), Some(30))
        );
        assert_eq!(bytes(&parts, Kind::Unexplained), Some(65));
        // What the pulse could not see any more is unknown, not what it was.
        let parts = at_pulse(
            Ok(180),
            vec![Part::unknown(Kind::Wal, None, "refused")],
            &last,
            NOW,
        );
        assert_eq!(
            (bytes(&parts, Kind::Wal), bytes(&parts, Kind::Unexplained)),
            (None, Some(90))
        );
    }

    #[test]
    fn much_is_the_larger_of_a_gigabyte_and_a_hundredth_of_the_capacity() {
        const GB: i64 = 1_000_000_000;
        for (bytes, capacity, expected) in [
            (GB, 10 * GB, false),
            (GB + 1, 10 * GB, true),
            (-GB - 1, 10 * GB, true),
            (GB + 1, 100 * GB, true),
            (3 * GB, 400 * GB, false),
            (4 * GB + 1, 400 * GB, true),
            (5, 0, false),
        ] {
            let capacity = u64::try_from(capacity).unwrap();
            assert_eq!(is_much(bytes, capacity), expected, "{bytes} of {capacity}");
        }
    }

    #[test]
    fn what_a_neighbour_has_was_elsewhere_before_it_was_named() {
        let last = full_look(Ok(100), vec![part(Kind::Wal, 10)], FileSystem::Plain, NOW);
        let named = |bytes| Part::measured(Kind::Instance, Some("b"), bytes, Source::Instance, NOW);
        let parts = at_pulse(Ok(103), vec![named(40)], &last, NOW);
        let rests =
            [Kind::Instance, Kind::Elsewhere, Kind::Unexplained].map(|of| bytes(&parts, of));
        assert_eq!(rests, [Some(40), Some(50), Some(3)]);
        // From then on what it gains is its own.
        let parts = at_pulse(Ok(110), vec![named(47)], &parts, NOW);
        let rests =
            [Kind::Instance, Kind::Elsewhere, Kind::Unexplained].map(|of| bytes(&parts, of));
        assert_eq!(rests, [Some(47), Some(50), Some(3)]);
        // More than was elsewhere: the volume is larger than what is told of it, and the sum holds.
        let parts = at_pulse(Ok(100), vec![named(95)], &last, NOW);
        let rests =
            [Kind::Instance, Kind::Elsewhere, Kind::Unexplained].map(|of| bytes(&parts, of));
        assert_eq!(rests, [Some(95), Some(0), Some(-5)]);
    }

    #[test]
    fn bytes_of_files_are_scaled_by_what_the_file_system_saves() {
        let parts = full_look(
            Ok(25),
            vec![part(Kind::Database, 80), part(Kind::Wal, 20)],
            FileSystem::Compressing,
            NOW,
        );
        assert!((scale(&parts) - 0.25).abs() < 1e-9);
        let parts = full_look(
            Ok(500),
            vec![part(Kind::Database, 80)],
            FileSystem::Plain,
            NOW,
        );
        assert!((scale(&parts) - 1.0).abs() < 1e-9);
    }

    proptest! {
        /// Whatever was and was not seen, at a full look and at any pulse after it.
        #[test]
        fn parts_always_add_up(
            used in 0_u64..1 << 50, later in 0_u64..1 << 50,
            sizes in prop::collection::vec(prop::option::of(0_u64..1 << 45), 6),
            pulsed in prop::option::of(0_u64..1 << 45), compresses: bool,
        ) {
            let kinds = [Kind::Global, Kind::Wal, Kind::Temporary, Kind::Log, Kind::Replication, Kind::TransactionStatus];
            let measured: Vec<Part> = kinds.iter().zip(&sizes).map(|(kind, size)| match size {
                Some(size) => part(*kind, *size),
                None => Part::unknown(*kind, None, "hidden"),
            }).collect();
            let file_system = if compresses { FileSystem::Compressing } else { FileSystem::Plain };
            let look = full_look(Ok(used), measured, file_system, NOW);
            prop_assert_eq!(known_bytes(&look), i64::try_from(used).unwrap());
            let wal = pulsed.map_or_else(|| Part::unknown(Kind::Wal, None, "hidden"), |size| part(Kind::Wal, size));
            let pulse = at_pulse(Ok(later), vec![wal], &look, NOW);
            prop_assert_eq!(known_bytes(&pulse), i64::try_from(later).unwrap());
            prop_assert_eq!(pulse.len(), look.len());
            prop_assert!(pulse.iter().all(|part| part.bytes.is_some() != part.unknown.is_some()));
        }
    }
}
