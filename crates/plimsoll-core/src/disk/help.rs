//! What would help a volume that fills: exact commands, what each frees, and what is lost by it. None is run.
//!
//! **Invariant:** no command removes a file under the data directory, resets WAL, or throws WAL away unarchived; none
//! rewrites a table without the room for it. A test looks for them.

use serde::{Deserialize, Serialize};

use super::pulse::Writer;
use super::wal::{Holder, HolderKind, Slot, WalSize};

/// One thing that would help.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Help {
    /// What to do.
    pub text: String,
    /// How; none where that is not a matter of one command.
    pub command: Option<String>,
    /// What that frees.
    pub frees_bytes: Option<u64>,
    /// What is lost by it; none is nothing.
    pub loses: Option<String>,
}

/// What would help, most bytes first. Holders that hold less than the level of WAL are no trouble, unless that is much of
/// their volume: what comes free then is not known, since the server recycles up to the level, and neither is it where the
/// level is not known.
pub fn help(holders: &[Holder], writers: &[Writer], level: WalSize) -> Vec<Help> {
    let mut all = Vec::new();
    for holder in holders.iter().filter(|holder| level.is_trouble(holder)) {
        // WAL that others hold as well is freed by none alone.
        let others = holders
            .iter()
            .filter(|other| *other != holder)
            .filter_map(|other| other.bytes)
            .max();
        let held = holder.bytes.unwrap_or(0);
        let beyond = level.max_wal_bytes.filter(|most| held > *most);
        let frees = beyond.map(|most| {
            let frees = held.saturating_sub(others.unwrap_or(0).max(most));
            frees.min(level.wal_bytes.unwrap_or(u64::MAX))
        });
        all.extend(of_holder(holder, frees));
    }
    all.extend(
        writers
            .iter()
            .filter(|writer| writer.bytes > 0)
            .map(of_writer),
    );
    all.sort_by_key(|help| std::cmp::Reverse(help.frees_bytes));
    all
}

fn of_holder(holder: &Holder, frees_bytes: Option<u64>) -> Vec<Help> {
    let mend = |text: String, command: Option<&str>| Help {
        text,
        command: command.map(str::to_owned),
        frees_bytes,
        loses: None,
    };
    match &holder.what {
        HolderKind::Slot(slot) if slot.is_base_backup => {
            vec![mend(
                format!(
                    "let the base backup of slot {} finish, or end it",
                    slot.name
                ),
                None,
            )]
        }
        HolderKind::Slot(slot) => of_slot(slot, frees_bytes),
        HolderKind::Archiving(archiving) => {
            let segment = archiving
                .failed_segment
                .as_deref()
                .unwrap_or("the next segment");
            let text = format!(
                "mend archiving: {segment} could not be archived; the server's log says why"
            );
            vec![mend(
                text,
                Some("show archive_command; -- and read the server's log"),
            )]
        }
        HolderKind::WalKeepSize => vec![Help {
            text: "set wal_keep_size lower".to_owned(),
            command: Some(
                "ALTER SYSTEM SET wal_keep_size = '0'; SELECT pg_reload_conf(); CHECKPOINT;"
                    .to_owned(),
            ),
            frees_bytes,
            loses: Some(
                "a standby without a slot that is behind needs a new base backup".to_owned(),
            ),
        }],
        HolderKind::Replay(replay) if replay.paused => {
            vec![mend(
                "let the standby replay again".to_owned(),
                Some("SELECT pg_wal_replay_resume();"),
            )]
        }
        HolderKind::Checkpoint => vec![mend("run a checkpoint".to_owned(), Some("CHECKPOINT;"))],
        HolderKind::Replay(_) | HolderKind::Summaries => Vec::new(),
    }
}

fn of_slot(slot: &Slot, frees_bytes: Option<u64>) -> Vec<Help> {
    let name = quoted(&slot.name);
    let (consumer, loss) = if slot.is_physical {
        ("standby", "the standby: it needs a new base backup")
    } else {
        (
            "subscriber",
            "what the subscriber has not received: it needs a new copy of its tables",
        )
    };
    let mut all = Vec::new();
    if !slot.active && slot.wal_status.as_deref() != Some("lost") {
        all.push(Help {
            text: format!("start the {consumer} of slot {} again", slot.name),
            command: None,
            frees_bytes,
            loses: None,
        });
    }
    all.push(Help {
        text: format!("drop slot {}", slot.name),
        command: Some(format!(
            "SELECT pg_drop_replication_slot({name}); CHECKPOINT;"
        )),
        frees_bytes,
        loses: Some(loss.to_owned()),
    });
    all
}

fn of_writer(writer: &Writer) -> Help {
    let who = writer
        .user
        .as_deref()
        .map_or_else(String::new, |user| format!(" of {user}"));
    Help {
        text: format!(
            "end the statement of session {}{who}, which writes temporary files",
            writer.pid
        ),
        command: Some(format!("SELECT pg_cancel_backend({});", writer.pid)),
        frees_bytes: Some(writer.bytes),
        loses: Some("its query".to_owned()),
    }
}

/// As a literal of SQL.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::wal::{Archiving, Replay};

    const GB: u64 = 1_000_000_000;

    fn holder(gb: u64, what: HolderKind) -> Holder {
        Holder {
            bytes: Some(gb * GB),
            since: None,
            what,
        }
    }

    fn slot(name: &str, is_physical: bool, active: bool) -> HolderKind {
        HolderKind::Slot(Slot {
            name: name.into(),
            is_physical,
            active,
            ..Slot::default()
        })
    }

    const LEVEL: WalSize = WalSize {
        max_wal_bytes: Some(GB),
        wal_bytes: Some(95 * GB),
        capacity_bytes: Some(500 * GB),
    };

    #[test]
    fn on_a_small_volume_less_than_the_level_of_wal_is_named_without_a_promise() {
        let slot = Slot {
            name: "forgotten".into(),
            ..Slot::default()
        };
        let holder = Holder {
            bytes: Some(GB / 4),
            since: None,
            what: HolderKind::Slot(slot),
        };
        let level = |capacity_bytes| WalSize {
            capacity_bytes,
            ..LEVEL
        };
        let of = |capacity| help(std::slice::from_ref(&holder), &[], level(capacity));
        assert!(of(Some(500 * GB)).is_empty() && of(None).is_empty());
        let named = of(Some(GB / 2));
        assert!(
            named.iter().any(|help| help.text.contains("forgotten")),
            "{named:?}"
        );
        assert!(
            named.iter().all(|help| help.frees_bytes.is_none()),
            "{named:?}"
        );
    }

    #[test]
    fn without_a_known_level_nothing_is_promised_and_little_is_no_trouble() {
        let unknown = WalSize {
            max_wal_bytes: None,
            ..LEVEL
        };
        let small = holder(20, slot("little", true, false));
        assert_eq!(help(&[small], &[], unknown), []);
        let large = holder(91, slot("much", true, false));
        let named = help(&[large], &[], unknown);
        assert!(named.iter().any(|help| help.text.contains("much")));
        assert!(named.iter().all(|help| help.frees_bytes.is_none()));
    }

    fn everything() -> Vec<Help> {
        let replay = Replay {
            paused: true,
            ..Replay::default()
        };
        let backup = Slot {
            name: "pg_basebackup_7".into(),
            is_base_backup: true,
            is_temporary: true,
            ..Slot::default()
        };
        let lost = Slot {
            name: "lost".into(),
            wal_status: Some("lost".into()),
            ..Slot::default()
        };
        let holders = [
            holder(91, slot("it's", true, false)),
            holder(50, slot("sub", false, false)),
            holder(9, slot("busy", true, true)),
            holder(
                30,
                HolderKind::Archiving(Archiving {
                    failed_segment: Some("0001".into()),
                    ..Archiving::default()
                }),
            ),
            holder(20, HolderKind::WalKeepSize),
            holder(10, HolderKind::Replay(replay)),
            holder(5, HolderKind::Checkpoint),
            holder(4, HolderKind::Slot(backup)),
            holder(3, HolderKind::Slot(lost)),
            holder(2, HolderKind::Summaries),
        ];
        let writer = Writer {
            pid: 8123,
            user: Some("etl".into()),
            since: None,
            bytes: 2 * GB,
            query: None,
        };
        help(&holders, &[writer], LEVEL)
    }

    #[test]
    fn what_frees_most_comes_first_with_what_is_lost_by_it() {
        let all = everything();
        assert!(all.is_sorted_by_key(|help| std::cmp::Reverse(help.frees_bytes)));
        let find = |text: &str| {
            all.iter()
                .find(|help| help.text.contains(text))
                .unwrap_or_else(|| panic!("{text}"))
        };
        let start = find("start the standby of slot it's");
        assert_eq!(
            (start.frees_bytes, &start.loses),
            (Some(41 * GB), &None),
            "50 GB are held by another slot too"
        );
        let drop = find("drop slot it's");
        assert!(
            drop.command
                .as_deref()
                .unwrap()
                .contains("pg_drop_replication_slot('it''s')")
        );
        assert!(drop.loses.as_deref().unwrap().contains("base backup"));
        assert_eq!(
            find("session 8123 of etl").command.as_deref(),
            Some("SELECT pg_cancel_backend(8123);")
        );
        assert_eq!(
            find("replay again").command.as_deref(),
            Some("SELECT pg_wal_replay_resume();")
        );
        assert!(find("mend archiving: 0001").loses.is_none());
        assert!(
            !all.iter()
                .any(|help| help.text.contains("start the standby of slot busy"))
        );
        assert!(
            !all.iter()
                .any(|help| help.text.contains("start the subscriber of slot lost"))
        );
        assert!(
            !all.iter()
                .any(|help| help.text.contains("drop slot pg_basebackup"))
        );
    }

    #[test]
    fn what_is_within_the_level_of_wal_is_no_trouble() {
        let small = Holder {
            bytes: Some(GB),
            since: None,
            what: slot("s", true, false),
        };
        assert_eq!(help(&[small], &[], LEVEL), []);
        let unknown = Holder {
            bytes: None,
            since: None,
            what: slot("s", true, false),
        };
        assert_eq!(help(&[unknown], &[], LEVEL), []);
    }

    #[test]
    fn nothing_ever_destroys_what_recovery_needs() {
        for help in everything() {
            let said = format!("{} {}", help.text, help.command.unwrap_or_default()).to_lowercase();
            for never in [
                "rm ",
                "unlink",
                "pg_resetwal",
                "/bin/true",
                "archive_command =",
                "archive_mode",
                "vacuum full",
                "delete",
            ] {
                assert!(!said.contains(never), "{said}");
            }
        }
    }
}
