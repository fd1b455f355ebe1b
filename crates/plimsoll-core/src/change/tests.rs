//! Each change of a database, and what the history must make of it.

use jiff::SignedDuration;

use super::*;
use crate::instance::InstanceFacts;
use crate::snapshot::Totals;
use crate::snapshot::{Cost, Index, Method, Persistence, Rows, Server, Storage, Table, Toast};

pub(super) fn snapshot() -> Snapshot {
    Snapshot {
        instance: "main".into(),
        database: "app".into(),
        database_oid: 16384,
        server: Server {
            version_num: 180_004,
            system_identifier: Some(7),
            timeline: Some(1),
            in_recovery: false,
            started_at: Timestamp::UNIX_EPOCH,
            stats_reset_at: None,
            block_size: 8192,
        },
        measured_at: Timestamp::UNIX_EPOCH,
        took_ms: 1,
        method: Method::Files,
        full_sweep_at: None,
        tables: vec![table(100, "a"), table(200, "b")],
        totals: Totals::default(),
        unattributed: Vec::new(),
        facts: InstanceFacts::default(),
        cost: Cost::default(),
    }
}

fn storage(filenode: Oid, bytes: u64) -> Storage {
    Storage {
        filenode,
        tablespace: 1663,
        size: Size::measured(bytes),
    }
}

/// A table of 80 kB with toast and one index of 16 kB.
pub(super) fn table(oid: Oid, name: &str) -> Table {
    Table {
        oid,
        schema_name: "public".into(),
        table_name: name.into(),
        kind: TableKind::Table,
        persistence: Persistence::Permanent,
        access_method: None,
        heap: storage(oid, 81920),
        toast: Some(Toast {
            oid: oid + 1,
            heap: storage(oid + 1, 0),
            index_oid: oid + 2,
            index: storage(oid + 2, 8192),
        }),
        indexes: vec![Index {
            oid: oid + 3,
            index_name: format!("{name}_pkey").into(),
            access_method: "btree".into(),
            is_valid: true,
            storage: storage(oid + 3, 16384),
        }],
        rows: Rows::default(),
        parent_oid: None,
        parent_by_name: false,
    }
}

/// Gives a table new files, as every rewrite does, with `heap` bytes in it.
pub(super) fn rewrite(table: &mut Table, heap: u64) {
    table.heap = storage(table.heap.filenode + 1000, heap);
    if let Some(toast) = &mut table.toast {
        toast.heap.filenode += 1000;
        toast.index.filenode += 1000;
    }
    for index in &mut table.indexes {
        index.storage.filenode += 1000;
    }
}

/// What the second snapshot, changed by `change`, makes of a history that knows the first.
fn after(change: impl FnOnce(&mut Snapshot)) -> (KnownDatabase, Changes) {
    let mut now = snapshot();
    let mut known = KnownDatabase::new();
    let first = compare(&known, &now);
    assert_eq!(first.events, [], "what is there at first is no event");
    known.apply(&first, &now);
    now.measured_at += SignedDuration::from_hours(1);
    change(&mut now);
    let changes = compare(&known, &now);
    known.apply(&changes, &now);
    // and once more: nothing changes without a change
    let mut again = compare(&known, &now);
    assert_eq!(again.table_count, changes.table_count);
    assert_eq!(again.unread_count, changes.unread_count);
    (again.table_count, again.unread_count) = (0, 0);
    let nothing = Changes {
        next_relation_id: changes.next_relation_id,
        ..Changes::default()
    };
    assert_eq!(again, nothing);
    (known, changes)
}

/// The events, each with the name that its relation has now or had.
fn events(change: impl FnOnce(&mut Snapshot)) -> Vec<String> {
    let (known, changes) = after(change);
    let first = compare(&KnownDatabase::new(), &snapshot());
    changes
        .events
        .iter()
        .map(|event| {
            assert!(event.from < event.to);
            let name = event.relation.map_or("database", |id| {
                known
                    .relations
                    .iter()
                    .chain(&first.added)
                    .find(|known| known.id == id)
                    .map(|known| &*known.relation_name)
                    .unwrap()
            });
            let bytes = |bytes: Option<u64>| bytes.map_or("-".to_owned(), |b| b.to_string());
            format!(
                "{} {name} {} {}",
                event.kind,
                bytes(event.bytes_before),
                bytes(event.bytes_after)
            )
        })
        .collect()
}

#[test]
fn growth_is_no_event() {
    let (_, changes) = after(|now| now.tables[0].heap.size = Size::measured(90112));
    assert_eq!(changes.events, []);
    assert_eq!(changes.table_points.len(), 1);
    assert_eq!(changes.index_points, []);
    assert_eq!(after(|_| ()).1.table_points, []);
}

#[test]
fn what_was_missing_and_is_back_is_told_once_and_its_size_is_kept_meanwhile() {
    let mut now = snapshot();
    let mut known = KnownDatabase::new();
    let first = compare(&known, &now);
    known.apply(&first, &now);
    let mut told = Vec::new();
    for size in [
        Size::unread(Status::Missing, 0, 8192),
        Size::unread(Status::Missing, 0, 8192),
        Size::measured(81920),
        Size::measured(81920),
    ] {
        now.measured_at += SignedDuration::from_hours(1);
        now.tables[0].heap.size = size;
        let changes = compare(&known, &now);
        assert_eq!(changes.table_points, []);
        known.apply(&changes, &now);
        let events = changes.events.into_iter();
        told.extend(events.map(|event| (event.kind, event.detail.unwrap())));
    }
    let detail = ["its files are missing", "its files are back"];
    let expect = detail.map(|detail| (EventKind::Coverage, detail.to_owned()));
    assert_eq!(told, expect);
}

#[test]
fn each_kind_of_event_is_recognised() {
    // 81920 + 8192 + 16384 = 106496
    for (expect, change) in [
        (
            vec!["rewrite a 106496 65536"],
            (|now| rewrite(&mut now.tables[0], 40960)) as fn(&mut Snapshot),
        ),
        (vec!["truncate a 106496 24576"], |now| {
            rewrite(&mut now.tables[0], 0);
        }),
        (vec!["reindex a_pkey 16384 8192"], |now| {
            now.tables[0].indexes[0].storage = storage(999, 8192);
        }),
        // REINDEX CONCURRENTLY: the name has a new OID
        (vec!["reindex a_pkey 16384 8192"], |now| {
            now.tables[0].indexes[0].oid = 998;
            now.tables[0].indexes[0].storage = storage(998, 8192);
        }),
        (vec!["rename c 106496 106496"], |now| {
            now.tables[0].table_name = "c".into();
        }),
        (vec!["rename a 106496 106496"], |now| {
            now.tables[0].schema_name = "archive".into();
        }),
        (vec!["rename a_id 16384 16384"], |now| {
            now.tables[0].indexes[0].index_name = "a_id".into();
        }),
        (vec!["create c - 106496"], |now| {
            now.tables.push(table(300, "c"));
        }),
        (vec!["create a_new - 24576"], |now| {
            let mut index = now.tables[0].indexes[0].clone();
            (index.oid, index.index_name) = (997, "a_new".into());
            index.storage = storage(997, 24576);
            now.tables[0].indexes.push(index);
        }),
        // no shrinking, and its size is what it was
        (vec!["coverage a 106496 -"], |now| {
            now.tables[0].heap.size = Size::unread(Status::Missing, 0, 8192);
        }),
        (vec!["coverage a_pkey 16384 -"], |now| {
            now.tables[0].indexes[0].storage.size = Size::unread(Status::Missing, 0, 8192);
        }),
        (vec![], |now| {
            now.tables[0].heap.size = Size::unread(Status::Locked, 0, 8192);
        }),
        (vec!["drop b 106496 -"], |now| {
            now.tables.pop();
        }),
        (vec!["drop a_pkey 16384 -"], |now| {
            now.tables[0].indexes.clear();
        }),
        (vec!["attach b 106496 106496"], |now| {
            now.tables[1].parent_oid = Some(100);
        }),
        // dropped and made again under its name: one history
        (vec!["recreate a 106496 106496"], |now| {
            now.tables[0] = table(300, "a");
        }),
        // build tools make the next table beside it, and swap names: its indexes have other names
        (vec!["recreate a 106496 106496"], |now| {
            now.tables[0] = table(300, "a");
            now.tables[0].indexes[0].index_name = "a_next_pkey".into();
        }),
        (vec!["statistics_reset database - -"], |now| {
            now.server.stats_reset_at = Some(now.measured_at);
        }),
        (vec!["failover database - -"], |now| {
            now.server.timeline = Some(2);
        }),
        (
            vec![
                "restore database - -",
                "restore a 106496 106496",
                "restore b 106496 106496",
            ],
            |now| {
                now.database_oid = 20000;
                now.tables = vec![table(500, "a"), table(600, "b")];
            },
        ),
        // the OIDs of another system say nothing, though they are the same
        (
            vec![
                "restore database - -",
                "restore b 106496 106496",
                "restore a 106496 106496",
            ],
            |now| {
                now.server.system_identifier = Some(8);
                now.tables = vec![table(100, "b"), table(200, "a")];
            },
        ),
    ] {
        assert_eq!(events(change), expect);
    }
}

#[test]
fn counters_that_begin_to_count_are_no_reset() {
    for (version_num, expect) in [
        (130_023, vec![]),
        (140_020, vec![]),
        (150_015, vec!["statistics_reset database - -"]),
    ] {
        let change = |now: &mut Snapshot| {
            now.server.version_num = version_num;
            now.server.stats_reset_at = Some(now.measured_at);
        };
        assert_eq!(events(change), expect, "{version_num}");
    }
}

#[test]
fn a_restored_databases_first_date_is_no_reset() {
    let (mut known, mut now) = (KnownDatabase::new(), snapshot());
    now.server.version_num = 140_020;
    let dates = ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"].map(|at| at.parse().ok());
    let mut told = Vec::new();
    for (oid, stats_reset_at) in [
        (1, dates[0]),
        (2, None),
        (2, dates[1]),
        (2, None),
        (2, dates[0]),
    ] {
        now.measured_at += SignedDuration::from_hours(1);
        now.database_oid = oid;
        now.server.stats_reset_at = stats_reset_at;
        let changes = compare(&known, &now);
        known.apply(&changes, &now);
        let kinds = changes
            .events
            .iter()
            .filter(|event| event.relation.is_none());
        told.push(kinds.map(|event| event.kind).collect::<Vec<_>>());
    }
    let (restore, reset) = (EventKind::Restore, EventKind::StatisticsReset);
    assert_eq!(told, [vec![], vec![restore], vec![], vec![], vec![reset]]);
}

#[test]
fn one_failover_is_told_once() {
    let mut standby = snapshot();
    standby.server.in_recovery = true;
    // (what can be read of timelines, before and after; promoted; what is told)
    for (was, is, promoted, expect) in [
        (Some(1), Some(2), true, 1),
        (Some(1), Some(2), false, 1),
        // promoted, and no checkpoint yet
        (Some(1), Some(1), true, 0),
        (None, None, true, 1),
        (None, None, false, 0),
        (None, Some(2), true, 1),
    ] {
        standby.server.timeline = was;
        let mut known = KnownDatabase::new();
        let first = compare(&known, &standby);
        known.apply(&first, &standby);
        let mut now = standby.clone();
        now.measured_at += SignedDuration::from_hours(1);
        now.server.timeline = is;
        now.server.in_recovery = !promoted;
        let told = compare(&known, &now).events;
        assert_eq!(told.len(), expect, "{was:?} {is:?} {promoted}: {told:?}");
        assert!(told.iter().all(|event| event.kind == EventKind::Failover));
    }
}

#[test]
fn a_renamed_table_keeps_its_history_though_another_takes_its_name() {
    let (known, changes) = after(|now| {
        now.tables[0].table_name = "a_old".into();
        now.tables.push(table(300, "a"));
    });
    let id_of = |oid| known.relations.iter().find(|k| k.oid == oid).unwrap().id;
    assert_eq!(changes.former.len(), 1);
    assert_eq!(changes.former[0].id, id_of(100));
    assert_eq!(&*changes.former[0].relation_name, "a");
    assert!(changes.added.iter().any(|k| k.id == id_of(300)));
}

#[test]
fn a_restored_database_is_linked_by_name() {
    let before = compare(&KnownDatabase::new(), &snapshot());
    let (known, changes) = after(|now| {
        now.database_oid = 20000;
        // the OID that was a's is now b's
        now.tables = vec![table(200, "a"), table(100, "b")];
    });
    assert_eq!((changes.added.len(), changes.gone.len()), (0, 0));
    for was in &before.added {
        let is = known.relations.iter().find(|k| k.id == was.id).unwrap();
        assert_eq!(is.relation_name, was.relation_name);
        assert_ne!(is.oid, was.oid);
    }
}

#[test]
fn what_was_not_read_keeps_its_value_and_is_noted_once() {
    let (known, changes) = after(|now| {
        now.tables[0].heap.size = Size::unread(Status::Locked, 3, 8192);
        now.tables[1].indexes[0].storage.size = Size::unread(Status::Denied, 0, 8192);
    });
    assert_eq!(changes.table_points, []);
    assert_eq!(changes.index_points, []);
    assert_eq!(changes.unread_count, 2);
    assert_eq!(changes.unread.len(), 2);
    let a = known.relations.iter().find(|k| k.oid == 100).unwrap();
    assert_eq!(a.sizes.heap_bytes, Some(81920));
    assert_eq!(a.sizes.total_bytes(), Some(106_496));
}

#[test]
fn a_table_that_was_never_read_has_no_size() {
    let (known, changes) = after(|now| {
        let mut new = table(300, "c");
        new.heap.size = Size::unread(Status::Locked, 3, 8192);
        now.tables.push(new);
    });
    assert_eq!(changes.table_count, 2);
    let c = known.relations.iter().find(|k| k.oid == 300).unwrap();
    assert_eq!(c.sizes.heap_bytes, None);
    assert_eq!(c.sizes.total_bytes(), None);
    assert_eq!(c.sizes.index_bytes, 16384);
}

#[test]
fn what_goes_away_during_the_visit_is_not_made_up() {
    let (_, changes) = after(|now| {
        now.tables[0].heap.size = Size::unread(Status::Dropped, 0, 8192);
        let mut flash = table(300, "flash");
        flash.heap.size = Size::unread(Status::Dropped, 0, 8192);
        now.tables.push(flash);
    });
    assert_eq!(changes.added, []);
    assert_eq!(changes.gone, Vec::<RelationId>::new());
    assert_eq!(changes.events, []);
}

#[test]
fn the_first_own_sample_after_an_import_is_a_change_of_coverage_and_no_other_event() {
    let now = snapshot();
    let mut known = KnownDatabase::new();
    let first = compare(&known, &now);
    known.apply(&first, &now);
    // as an import leaves it: no OIDs, some of the tables, and no total
    let last = known.last.as_mut().unwrap();
    (last.database_oid, last.total_bytes) = (0, None);
    known
        .relations
        .retain(|relation| &*relation.relation_name == "a");
    known.relations[0].oid = 0;
    let mut later = now.clone();
    later.measured_at += SignedDuration::from_hours(1);
    let told = compare(&known, &later).events;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        (told[0].kind, told[0].relation),
        (EventKind::Coverage, None)
    );
    assert_eq!(
        (told[0].bytes_before, told[0].bytes_after),
        (None, later.totals.total_bytes)
    );
}

/// What the third snapshot makes of what the first could not read and the second could.
#[test]
fn what_is_read_for_the_first_time_is_a_change_of_coverage_of_so_many_bytes() {
    fn hidden(size: &mut Size) {
        *size = Size::unread(Status::Denied, 0, 8192);
    }
    type Hide = fn(&mut Table);
    for (what, hide, told) in [
        (
            "a table",
            (|table| hidden(&mut table.heap.size)) as Hide,
            &["coverage a - 106496"][..],
        ),
        (
            "a table with all that belongs to it",
            |table| table.parts_mut().for_each(|(_, size)| hidden(size)),
            &["coverage a - 106496"],
        ),
        (
            "an index",
            |table| hidden(&mut table.indexes[0].storage.size),
            &["coverage a_pkey - 16384"],
        ),
        (
            "a toast table",
            |table| {
                let toast = table.toast.as_mut().unwrap();
                hidden(&mut toast.heap.size);
                hidden(&mut toast.index.size);
            },
            &["coverage a - 8192"],
        ),
    ] {
        let now = snapshot();
        let mut first = now.clone();
        hide(&mut first.tables[0]);
        let mut known = KnownDatabase::new();
        let changes = compare(&known, &first);
        known.apply(&changes, &first);
        let mut seen = now.clone();
        seen.measured_at += SignedDuration::from_hours(1);
        let changes = compare(&known, &seen);
        let name = |id: Option<RelationId>| {
            let mut relations = known.relations.iter();
            let found = relations.find(|known| Some(known.id) == id).unwrap();
            found.relation_name.to_string()
        };
        let is: Vec<_> = changes
            .events
            .iter()
            .map(|event| {
                assert_eq!(event.bytes_before, None, "{what}");
                let after = event.bytes_after.unwrap();
                format!("{} {} - {after}", event.kind, name(event.relation))
            })
            .collect();
        assert_eq!(is, told, "{what}");
        known.apply(&changes, &seen);
        let mut later = seen.clone();
        later.measured_at += SignedDuration::from_hours(1);
        assert_eq!(compare(&known, &later).events, [], "{what}");
        // and what is hidden again keeps its last size: nothing comes into sight twice
        let mut hidden_again = later.clone();
        hide(&mut hidden_again.tables[0]);
        known.apply(&compare(&known, &hidden_again), &hidden_again);
        later.measured_at += SignedDuration::from_hours(1);
        assert_eq!(compare(&known, &later).events, [], "{what}");
    }
}
