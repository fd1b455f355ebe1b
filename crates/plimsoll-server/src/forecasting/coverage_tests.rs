//! However what can be seen of a database changes, it is not forecast to grow by that.

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::change::{Event, EventKind, RelationId};
use plimsoll_core::snapshot::TableKind;
use plimsoll_store::{Membership, NamedEvent, PartKind, SampleTotal, TableName, TableSteps};

use super::agree::{Agreed, agree};
use super::gather::Gathered;

const DAYS: usize = 40;
/// From this day on it is seen otherwise.
const CHANGES: usize = 25;
const MEGABYTE: u64 = 1 << 20;
/// The place of 30 days among the horizons.
const MONTH: usize = 5;

fn at(day: usize) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * i64::try_from(day).unwrap())
}

/// What a table has that grows by some 10 MB a day.
fn growing(day: usize) -> u64 {
    let day = day as u64;
    (1000 + day * 10 + day * 7919 % 3) * MEGABYTE
}

fn named(event: Event, table: Option<&str>) -> NamedEvent {
    NamedEvent {
        event,
        table: table.map(|name| TableName::new("public", name)),
        index_name: None,
    }
}

fn coverage(relation: Option<RelationId>, before: Option<u64>, after: Option<u64>) -> Event {
    Event {
        kind: EventKind::Coverage,
        relation,
        from: at(CHANGES - 1),
        to: at(CHANGES),
        bytes_before: before,
        bytes_after: after,
        detail: None,
    }
}

fn table(id: RelationId, name: &str, from: usize, steps: Vec<(usize, u64)>) -> TableSteps {
    TableSteps {
        id,
        name: TableName::new("public", name),
        kind: TableKind::Table,
        belongs: vec![Membership {
            schema_name: "public".to_owned(),
            set: None,
            from,
            until: DAYS,
        }],
        steps,
        events: Vec::new(),
    }
}

/// The table that grows, of which so much more is seen from the change on.
fn orders(more: u64) -> TableSteps {
    let steps = (0..DAYS).map(|day| (day, growing(day) + if day < CHANGES { 0 } else { more }));
    table(1, "orders", 0, steps.collect())
}

/// The table that grows, which had more before the change.
fn shrunk() -> TableSteps {
    const BLOAT: u64 = 5000 * MEGABYTE;
    let steps = (0..DAYS).map(|day| (day, growing(day) + if day < CHANGES { BLOAT } else { 0 }));
    table(1, "orders", 0, steps.collect())
}

/// The same, which nobody measured before the change.
fn from_change(mut table: TableSteps) -> TableSteps {
    table.steps.retain(|step| step.0 >= CHANGES);
    table.belongs[0].from = CHANGES;
    table
}

/// A way in which what is seen of a database changes.
struct Change {
    name: &'static str,
    total_bytes: fn(usize) -> Option<u64>,
    /// Whether another tool measured before.
    is_imported: bool,
    tables: Vec<TableSteps>,
    event: NamedEvent,
}

fn changes() -> Vec<Change> {
    const HIDDEN: u64 = 5000 * MEGABYTE;
    let all = |day| Some(growing(day) + 20_000 * MEGABYTE);
    let own_only: fn(usize) -> Option<u64> =
        |day| (day >= CHANGES).then(|| growing(day) + 20_000 * MEGABYTE);
    let seam = || named(coverage(None, None, None), None);
    vec![
        Change {
            name: "an import that counted less of a table",
            total_bytes: own_only,
            is_imported: true,
            tables: vec![orders(HIDDEN)],
            event: seam(),
        },
        Change {
            name: "an import of totals that meet the database's",
            total_bytes: all,
            is_imported: true,
            tables: vec![from_change(orders(0))],
            event: seam(),
        },
        Change {
            name: "an import of a volume's totals, which grow otherwise",
            total_bytes: |day| match day < CHANGES {
                true => Some(growing(day * 40) + 90_000 * MEGABYTE),
                false => Some(growing(day) + 20_000 * MEGABYTE),
            },
            is_imported: true,
            tables: vec![from_change(orders(0))],
            event: seam(),
        },
        Change {
            name: "an import of some tables",
            total_bytes: own_only,
            is_imported: true,
            tables: vec![
                orders(0),
                table(2, "large", CHANGES, vec![(CHANGES, HIDDEN)]),
            ],
            event: seam(),
        },
        Change {
            name: "a table that could not be read at first",
            total_bytes: all,
            is_imported: false,
            tables: vec![orders(0), table(2, "denied", 0, vec![(CHANGES, HIDDEN)])],
            event: named(coverage(Some(2), None, Some(HIDDEN)), Some("denied")),
        },
        Change {
            name: "an index of it that could not be read at first",
            total_bytes: all,
            is_imported: false,
            tables: vec![orders(HIDDEN)],
            event: named(coverage(Some(9), None, Some(HIDDEN)), Some("orders")),
        },
        Change {
            name: "files that are back",
            total_bytes: |day| {
                (!(10..CHANGES).contains(&day)).then(|| growing(day) + 20_000 * MEGABYTE)
            },
            is_imported: false,
            tables: vec![orders(0), table(2, "lost", 0, vec![(0, HIDDEN)])],
            event: named(coverage(Some(2), Some(HIDDEN), None), Some("lost")),
        },
        Change {
            name: "a restore, by which a table and what is in none lost what was free in them",
            total_bytes: |day| {
                let bloat = if day < CHANGES { 8000 } else { 0 };
                Some(growing(day) + (20_000 + bloat) * MEGABYTE)
            },
            is_imported: false,
            tables: vec![shrunk()],
            event: NamedEvent {
                event: Event {
                    kind: EventKind::Restore,
                    ..coverage(
                        None,
                        Some(growing(CHANGES - 1) + 28_000 * MEGABYTE),
                        Some(growing(CHANGES) + 20_000 * MEGABYTE),
                    )
                },
                table: None,
                index_name: None,
            },
        },
    ]
}

fn agreed(change: Change) -> Agreed {
    let samples = (0..DAYS).map(|day| SampleTotal {
        sample_id: i64::try_from(day).unwrap(),
        sampled_at: at(day),
        total_bytes: (change.total_bytes)(day),
        is_imported: change.is_imported && day < CHANGES,
    });
    let events = [change.event];
    let mut gathered = Gathered::new(samples.collect(), &events);
    for mut table in change.tables {
        let [
            NamedEvent {
                event, table: of, ..
            },
        ] = &events;
        if of.as_ref() == Some(&table.name) {
            table.events.push(event.clone());
        }
        gathered.table(&table);
    }
    agree(gathered, &events)
}

#[test]
fn trap_58_a_change_of_coverage_is_never_forecast_as_growth() {
    for change in changes() {
        let name = change.name;
        let agreed = agreed(change);
        for (kind, table, days10) in [
            (PartKind::Table, "orders", 30),
            (PartKind::Schema, "", 30),
            (PartKind::Database, "", 30),
            (PartKind::Rest, "", 0),
        ] {
            let mut parts = agreed.parts.iter();
            let part = parts.find(|part| part.kind == kind && part.name.table_name == table);
            let part = part.unwrap_or_else(|| panic!("{name}: no {kind:?}"));
            let grown = part.horizons.grown[MONTH] / i64::try_from(MEGABYTE).unwrap();
            let off = (grown - 10 * days10).abs();
            assert!(off <= 60, "{name}: {kind:?} {table} grows by {grown} MB");
        }
        // nor is anything expected to come because something came into sight
        let to_come = agreed
            .parts
            .iter()
            .filter(|part| part.kind == PartKind::ToCome);
        assert_eq!(to_come.count(), 0, "{name}");
    }
}

#[test]
fn a_step_that_nothing_explains_is_not_taken_for_a_change_of_coverage() {
    // the same bytes, and nothing told of them: who could say that they were there before
    let of_some_tables = |change: &Change| change.tables.len() == 2 && change.is_imported;
    let mut change = changes().into_iter().find(of_some_tables).unwrap();
    change.is_imported = false;
    change.total_bytes = |day| {
        let more = if day < CHANGES { 0 } else { 5000 * MEGABYTE };
        Some(growing(day) + more + 20_000 * MEGABYTE)
    };
    change.event.event.kind = EventKind::Rename;
    let agreed = agreed(change);
    assert!(
        agreed
            .parts
            .iter()
            .any(|part| part.kind == PartKind::ToCome)
    );
}

#[test]
fn a_seam_lies_between_the_samples_around_it_to_the_second() {
    let second = |ms: i64| Timestamp::from_millisecond(ms).unwrap();
    let sample = |ms| SampleTotal {
        is_imported: false,
        sample_id: ms,
        sampled_at: second(ms),
        total_bytes: None,
    };
    for (seam_ms, expected) in [
        // exactly the first own sample, the second in which it lies, and that second's end
        (20_400, [false, false, true, false]),
        (20_000, [false, false, true, false]),
        (20_999, [false, false, true, false]),
        (15_000, [false, false, true, false]),
        (10_000, [false, true, false, false]),
        (30_000, [false, false, false, true]),
        // after all of them
        (31_500, [false; 4]),
    ] {
        let mut event = coverage(None, None, None);
        event.to = second(seam_ms);
        let samples = [0, 10_000, 20_400, 30_000].map(sample);
        let gathered = Gathered::new(samples.to_vec(), &[named(event, None)]);
        let found = [0, 1, 2, 3].map(|place| gathered.is_seam(place));
        assert_eq!(found, expected, "{seam_ms}");
    }
}
