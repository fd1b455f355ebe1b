//! Growth adds up, whatever appeared and went.

use plimsoll_core::change::Sizes;
use plimsoll_core::sample::SampleKind;

use super::*;

fn header(id: i64, at: &str, total_bytes: u64) -> SampleHeader {
    SampleHeader {
        id,
        instance: "main".into(),
        database: "app".into(),
        sampled_at: at.parse().unwrap(),
        kind: SampleKind::Daily,
        total_bytes: Some(total_bytes),
        table_count: Some(1),
        is_demo: false,
        is_imported: false,
        unread_count: 0,
    }
}

fn sizes(heap: u64, toast: u64, index: u64) -> Option<Sizes> {
    Some(Sizes {
        heap_bytes: Some(heap),
        toast_bytes: Some(toast),
        index_bytes: index,
        ..Sizes::default()
    })
}

fn grown(name: &str, kind: TableKind, before: Option<Sizes>, after: Option<Sizes>) -> Growth {
    Growth {
        id: 1,
        name: TableName::new("public", name),
        index_name: None,
        kind: RelationKind::Table(kind),
        parent: None,
        before,
        after,
    }
}

#[test]
fn what_grew_is_the_sum_of_relations_and_rest_and_of_heap_toast_and_indexes() {
    let unmeasured = Some(Sizes {
        index_bytes: 7,
        ..Sizes::default()
    });
    let all = Difference {
        from: header(1, "2026-01-01T03:00:00Z", 1000),
        to: header(2, "2026-01-03T03:00:00Z", 1600),
        growth: vec![
            grown(
                "more",
                TableKind::Table,
                sizes(100, 0, 50),
                sizes(300, 40, 60),
            ),
            grown("new", TableKind::Table, None, sizes(80, 0, 20)),
            grown(
                "catalog",
                TableKind::Catalog,
                sizes(10, 0, 0),
                sizes(60, 0, 0),
            ),
            grown("never", TableKind::Table, unmeasured, sizes(5, 0, 7)),
            grown("less", TableKind::Table, sizes(50, 0, 0), sizes(40, 0, 0)),
            grown("gone", TableKind::Table, sizes(30, 0, 5), None),
        ],
        total: 6,
    };
    let query = GrowthQuery {
        since: all.from.sampled_at,
        until: all.to.sampled_at,
        limit: 10,
        kinds: Kinds::Listed,
        table: None,
    };
    let of = DatabaseKey {
        instance: "main".into(),
        database: "app".into(),
    };
    let answer = between(&of, &all, &query, &InSight::default(), &|_| true);
    assert_eq!(answer.grown_bytes, Some(600));
    assert_eq!(answer.per_day_bytes, Some(300));
    let relations = 250 + 100 + 50 - 10 - 35;
    assert_eq!(answer.relations_grown_bytes, Some(relations));
    assert_eq!(answer.rest_grown_bytes, Some(600 - relations));
    let parts = [
        answer.heap_grown_bytes,
        answer.toast_grown_bytes,
        answer.index_grown_bytes,
    ];
    assert_eq!(parts.map(Option::unwrap).iter().sum::<i64>(), relations);
    let names = |tables: &[TableGrowth]| {
        tables
            .iter()
            .map(|t| t.table_name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&answer.tables), ["more", "less"]);
    let not_known = uncovered(&all, &query.kinds);
    assert_eq!(not_known, 1, "never measured is not zero");
    assert_eq!(names(&answer.new_tables), ["new"]);
    assert_eq!(names(&answer.vanished_tables), ["gone"]);
    let more = &answer.tables[0];
    assert_eq!(
        (more.percent, more.share_percent),
        (Some(166.67), Some(41.67))
    );
    assert_eq!(
        (
            more.heap_grown_bytes,
            more.toast_grown_bytes,
            more.index_grown_bytes
        ),
        (Some(200), Some(40), Some(10))
    );
    assert_eq!(answer.schemas[0].grown_bytes, relations);
}

#[test]
fn a_short_time_has_no_rate_and_a_shrinking_database_no_shares() {
    let all = Difference {
        from: header(1, "2026-01-01T03:00:00Z", 1000),
        to: header(2, "2026-01-01T03:20:00Z", 900),
        growth: vec![grown(
            "more",
            TableKind::Table,
            sizes(0, 0, 0),
            sizes(10, 0, 0),
        )],
        total: 1,
    };
    let query = GrowthQuery {
        since: all.from.sampled_at,
        until: all.to.sampled_at,
        limit: 10,
        kinds: Kinds::Listed,
        table: None,
    };
    let of = DatabaseKey {
        instance: "main".into(),
        database: "app".into(),
    };
    let answer = between(&of, &all, &query, &InSight::default(), &|_| true);
    assert_eq!(
        (answer.per_day_bytes, answer.tables[0].per_day_bytes),
        (None, None)
    );
    assert_eq!(
        (answer.tables[0].share_percent, answer.tables[0].percent),
        (None, None)
    );
}

/// What is said of growth since so many days before `now`, when samples were taken at these times.
fn compared(days: i32, now: &str, samples: [&str; 2]) -> (f64, Compares, Option<String>) {
    let now: Timestamp = now.parse().unwrap();
    let query = GrowthQuery {
        since: now - jiff::SignedDuration::from_hours(i64::from(24 * days)),
        until: now,
        limit: 10,
        kinds: Kinds::Listed,
        table: None,
    };
    let [from, to] = samples.map(|at| header(1, at, 1000));
    asked::compare(&query, &from, &to)
}

#[test]
fn growth_over_a_hole_says_over_how_long_it_is() {
    let now = "2026-01-10T14:00:00Z";
    let (whole, later) = ("2026-01-09T03:00:00Z", "2026-01-10T03:00:00Z");
    for (since, samples, compares) in [
        (1, [whole, later], Compares::AsAsked),
        (1, ["2026-01-09T14:00:00Z", now], Compares::AsAsked),
        (
            1,
            ["2026-01-09T03:00:00Z", "2026-01-10T10:00:00Z"],
            Compares::Longer,
        ),
        // the hole of A2: 1.9 days where one was asked for
        (
            1,
            ["2026-01-08T14:30:00Z", "2026-01-10T12:00:00Z"],
            Compares::BaseTooOld,
        ),
        (1, ["2025-11-01T03:00:00Z", later], Compares::BaseTooOld),
        (7, ["2026-01-03T03:00:00Z", later], Compares::AsAsked),
        (7, ["2026-01-02T03:00:00Z", later], Compares::AsAsked),
        (7, ["2026-01-01T03:00:00Z", later], Compares::Longer),
        (7, ["2026-01-07T03:00:00Z", later], Compares::Shorter),
    ] {
        let (days, found, text) = compared(since, now, samples);
        assert_eq!(found, compares, "{since} {samples:?}");
        assert_eq!(days, f64::from(since));
        assert_eq!(text.is_none(), found == Compares::AsAsked, "{text:?}");
    }
    let (_, _, text) = compared(1, now, ["2026-01-08T14:30:00Z", "2026-01-10T12:00:00Z"]);
    assert_eq!(
        text.as_deref(),
        Some(
            "This is over 45.5 hours, and says little about 24.0 hours: the last sample before the time asked for is of \
             2026-01-08 14:30 UTC."
        )
    );
}

fn all_of(growth: Vec<Growth>) -> Difference {
    Difference {
        from: header(1, "2026-01-01T03:00:00Z", 1000),
        to: header(2, "2026-01-02T03:00:00Z", 9000),
        total: growth.len(),
        growth,
    }
}

fn answer_to(all: &Difference, in_sight: &InSight) -> GrowthAnswer {
    let query = GrowthQuery {
        since: all.from.sampled_at,
        until: all.to.sampled_at,
        limit: 10,
        kinds: Kinds::Listed,
        table: None,
    };
    let of = DatabaseKey {
        instance: "main".into(),
        database: "app".into(),
    };
    GrowthAnswer {
        uncovered_tables_total: uncovered(all, &query.kinds),
        ..between(&of, all, &query, in_sight, &|_| true)
    }
}

#[test]
fn what_only_one_sample_of_another_tool_shows_is_neither_new_nor_gone_nor_growth() {
    let mut all = all_of(vec![
        grown("both", TableKind::Table, sizes(100, 0, 0), sizes(150, 0, 0)),
        grown("only_now", TableKind::Table, None, sizes(7000, 0, 0)),
        grown("only_then", TableKind::Table, sizes(500, 0, 0), None),
        grown("catalog", TableKind::Catalog, None, sizes(900, 0, 0)),
    ]);
    let own = answer_to(&all, &InSight::default());
    assert_eq!(
        (own.new_tables_total, own.vanished_tables_total),
        (Some(1), Some(1))
    );
    assert_eq!(own.uncovered_tables_total, 0);

    (all.from.is_imported, all.to.is_imported) = (true, true);
    (all.from.total_bytes, all.to.total_bytes) = (None, None);
    let foreign = answer_to(&all, &InSight::default());
    assert_eq!(
        (foreign.new_tables_total, foreign.vanished_tables_total),
        (Some(0), Some(0))
    );
    // catalogs were not asked for
    assert_eq!(
        (foreign.tables_total, foreign.uncovered_tables_total),
        (Some(1), 2)
    );
    assert_eq!(foreign.tables[0].grown_bytes, 50);
    // which part of a table another tool counted, and what it left out, nobody knows
    assert_eq!(foreign.tables[0].heap_grown_bytes, None);
    for unknown in [
        foreign.grown_bytes,
        foreign.relations_grown_bytes,
        foreign.heap_grown_bytes,
        foreign.toast_grown_bytes,
        foreign.index_grown_bytes,
        foreign.rest_grown_bytes,
    ] {
        assert_eq!(unknown, None);
    }
    assert!(foreign.rest_unknown.is_some());
}

#[test]
fn what_was_read_for_the_first_time_is_no_growth_whatever_part_it_is() {
    let seen = |heap, index| {
        Some(Sizes {
            heap_bytes: heap,
            index_bytes: index,
            ..Sizes::default()
        })
    };
    // its heap was denied, its toast table was locked, its index was
    let mut all = all_of(vec![
        Growth {
            id: 1,
            ..grown("heap", TableKind::Table, seen(None, 0), sizes(900, 0, 0))
        },
        Growth {
            id: 2,
            ..grown(
                "toast",
                TableKind::Table,
                seen(Some(100), 0),
                sizes(110, 50, 0),
            )
        },
        Growth {
            id: 3,
            ..grown(
                "index",
                TableKind::Table,
                seen(Some(100), 10),
                sizes(100, 0, 90),
            )
        },
        Growth {
            id: 4,
            ..grown(
                "all",
                TableKind::Table,
                seen(Some(100), 0),
                sizes(100, 0, 80),
            )
        },
    ]);
    all.from.unread_count = 4;
    let index = |name: &str, before, after| Growth {
        index_name: Some(format!("{name}_pkey")),
        kind: RelationKind::Index,
        ..grown(name, TableKind::Table, before, after)
    };
    let indexes = all_of(vec![
        index("index", seen(None, 0), seen(Some(75), 0)),
        index("index", seen(Some(10), 0), seen(Some(15), 0)),
        index("all", seen(None, 0), seen(Some(80), 0)),
    ]);
    let mut in_sight = InSight::with_toast(2, 50);
    in_sight.add_indexes(&indexes);
    let answer = answer_to(&all, &in_sight);
    let grown: Vec<_> = answer
        .tables
        .iter()
        .map(|table| (&*table.table_name, table.grown_bytes))
        .collect();
    assert_eq!(grown, [("toast", 10), ("index", 5)]);
    assert_eq!(
        (answer.tables_total, answer.uncovered_tables_total),
        (Some(2), 1)
    );
    assert_eq!(answer.relations_grown_bytes, Some(15));
    assert_eq!(answer.index_grown_bytes, Some(5));
    // what could not be read may have grown instead of what is in no relation
    assert_eq!(
        (answer.grown_bytes, answer.rest_grown_bytes),
        (Some(8000), None)
    );
    let reason = answer.rest_unknown.unwrap();
    assert!(reason.contains("could not be read"), "{reason}");
}
