//! Which parts of the disk the role can see, and the grant for each that it cannot.

use super::{Check, quote};
use crate::privileges::Privileges;

/// How much of a part is seen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Visibility {
    Whole,
    /// A lower bound.
    Some(&'static str),
    None,
}

/// One item for each part of a volume that lies in the data directory, as a pulse and a full look read it. No level
/// needs them: sizing works without.
pub(super) fn parts(may: &Privileges, major: u32) -> Vec<Check> {
    let role = quote(&may.role);
    let monitor = format!("grant pg_monitor to {role};");
    let files = format!(
        "grant execute on function pg_catalog.pg_ls_dir(text, boolean, boolean), \
         pg_catalog.pg_stat_file(text, boolean) to {role};"
    );
    let by_files = may.ls_dir && may.stat_file;
    let sight = |by_functions: Visibility| {
        if by_files {
            Visibility::Whole
        } else {
            by_functions
        }
    };
    let if_so = |may: bool, seen: Visibility| sight(if may { seen } else { Visibility::None });
    let replication = may.monitor && major >= 15;
    let stats = format!("grant pg_read_all_stats to {role};");
    [
        ("database, global", if_so(may.read_all_stats, Visibility::Whole), &stats),
        ("wal", if_so(may.ls_waldir && may.ls_archive_statusdir, Visibility::Whole), &monitor),
        (
            "temporary",
            if_so(may.ls_tmpdir, Visibility::Some("without what parallel workers share")),
            if may.ls_tmpdir { &files } else { &monitor },
        ),
        ("log", if_so(may.ls_logdir, Visibility::Whole), &monitor),
        ("replication", if_so(replication, Visibility::Some("only what lies in folders of slots")), &files),
        ("transaction_status", sight(Visibility::None), &files),
        ("other_in_data_directory", sight(Visibility::None), &files),
    ]
    .into_iter()
    .map(|(part, seen, grant)| Check {
        name: format!("disk: {part}"),
        gives: "its part of what fills the volume; what is elsewhere is known only when all are seen",
        level: None,
        ok: seen == Visibility::Whole,
        detail: match seen {
            Visibility::Some(text) => Some(text.to_owned()),
            Visibility::Whole | Visibility::None => None,
        },
        grant: (seen != Visibility::Whole).then(|| grant.clone()),
    })
    .collect()
}
