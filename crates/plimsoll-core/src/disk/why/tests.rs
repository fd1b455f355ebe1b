//! Who is told to have gained what between two looks.

use super::*;
use crate::disk::part::Source;
use crate::disk::volume::{FileSystem, full_look};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn part(kind: Kind, name: Option<&str>, bytes: u64) -> Part {
    Part::measured(kind, name, bytes, Source::Files, NOW)
}

fn look(used: u64, parts: &[Part]) -> Vec<Part> {
    full_look(Ok(used), parts.to_vec(), FileSystem::Plain, NOW)
}

fn check(before: &[Part], after: &[Part], expected: &[(Kind, Option<&str>, i64)]) {
    let causes = why(before, after, NOW, &[]);
    let found: Vec<_> = causes
        .iter()
        .map(|cause| (cause.part, cause.name.as_deref(), cause.change_bytes))
        .collect();
    assert_eq!(found, expected, "{causes:#?}");
    let total: i64 = causes.iter().map(|cause| cause.change_bytes).sum();
    assert_eq!(total, used(after).unwrap() - used(before).unwrap());
}

#[test]
fn the_largest_change_comes_first_and_all_add_up() {
    let (shop, crm, wal) = (Some("shop"), Some("crm"), Kind::Wal);
    let db = Kind::Database;
    let before = look(
        100,
        &[part(db, shop, 40), part(db, crm, 5), part(wal, None, 10)],
    );
    let after = look(
        190,
        &[part(db, shop, 50), part(db, crm, 5), part(wal, None, 95)],
    );
    check(
        &before,
        &after,
        &[(wal, None, 85), (db, shop, 10), (Kind::Elsewhere, None, -5)],
    );
    check(
        &after,
        &before,
        &[
            (wal, None, -85),
            (db, shop, -10),
            (Kind::Elsewhere, None, 5),
        ],
    );
    check(&before, &before, &[]);
    // A database came, one went.
    let after = look(
        100,
        &[
            part(db, shop, 40),
            part(db, Some("new"), 7),
            part(wal, None, 10),
        ],
    );
    check(
        &before,
        &after,
        &[
            (db, Some("new"), 7),
            (Kind::Elsewhere, None, -2),
            (db, crm, -5),
        ],
    );
}

#[test]
fn what_was_not_seen_before_is_coverage_and_not_growth() {
    let hidden = Part::unknown(Kind::Wal, None, "the role needs pg_monitor");
    let before = look(100, &[part(Kind::Global, None, 40), hidden]);
    let after = look(
        103,
        &[part(Kind::Global, None, 41), part(Kind::Wal, None, 30)],
    );
    let causes = why(&before, &after, NOW, &[]);
    check(
        &before,
        &after,
        &[
            (Kind::Unexplained, None, 2),
            (Kind::Global, None, 1),
            (Kind::Wal, None, 0),
        ],
    );
    assert!(causes[2].text.contains("coverage"), "{causes:?}");
    let causes = why(&after, &before, NOW, &[]);
    assert!(
        causes
            .iter()
            .any(|cause| cause.part == Kind::Wal && cause.change_bytes == 0),
        "{causes:?}"
    );
    // A lower bound that becomes whole.
    let some = part(Kind::Temporary, None, 0).at_least("pg_ls_tmpdir leaves out filesets");
    let before = look(100, &[some]);
    let after = look(100, &[part(Kind::Temporary, None, 70)]);
    check(&before, &after, &[(Kind::Temporary, None, 0)]);
}

#[test]
fn databases_that_were_not_looked_at_or_only_as_tablespaces_do_not_come_into_being() {
    let none = Part::unknown(Kind::Database, None, "not looked at yet");
    let before = look(100, &[none, part(Kind::Wal, None, 10)]);
    let after = look(
        105,
        &[
            part(Kind::Database, Some("shop"), 60),
            part(Kind::Wal, None, 12),
        ],
    );
    check(
        &before,
        &after,
        &[
            (Kind::Unexplained, None, 3),
            (Kind::Wal, None, 2),
            (Kind::Database, Some("shop"), 0),
        ],
    );
    let whole = Part::measured(
        Kind::Database,
        Some("tablespace pg_default"),
        60,
        Source::Functions,
        NOW,
    );
    let before = look(100, &[whole]);
    let after = look(100, &[part(Kind::Database, Some("shop"), 60)]);
    let causes = why(&before, &after, NOW, &[]);
    assert!(
        causes.iter().all(|cause| cause.change_bytes == 0),
        "{causes:?}"
    );
}

#[test]
fn databases_that_the_last_look_did_not_measure_may_have_what_no_part_has() {
    let whole = [
        part(Kind::Database, Some("shop"), 60),
        part(Kind::Wal, None, 0),
    ];
    let before = look(100, &whole);
    let later = NOW + jiff::SignedDuration::from_mins(1);
    let wal = Part::measured(Kind::Wal, None, 0, Source::Functions, later);
    let after = crate::disk::volume::at_pulse(Ok(170), vec![wal], &before, later);
    let text = |after: &[Part]| {
        let causes = why(&before, after, NOW, &[]);
        let of = causes.iter().find(|cause| cause.part == Kind::Unexplained);
        of.map(|cause| cause.text.clone()).unwrap_or_default()
    };
    assert!(
        text(&after).contains("last measured at 1970-01-01T00:00:00Z"),
        "{}",
        text(&after)
    );
    let measured = Part::measured(Kind::Database, Some("shop"), 60, Source::Files, later);
    let after = crate::disk::volume::at_pulse(Ok(170), vec![measured], &before, later);
    assert_eq!(text(&after), "no part explains it");
}

#[test]
fn a_neighbour_that_is_named_only_now_is_coverage_and_what_it_gains_then_its_own() {
    let instance = Kind::Instance;
    let own = |wal| part(Kind::Wal, None, wal);
    let other = |bytes| Part::measured(instance, Some("b"), bytes, Source::Instance, NOW);
    let alone = look(100, &[own(10)]);
    let beside = look(107, &[own(12), other(40)]);
    let elsewhere = (Kind::Elsewhere, None, 5);
    check(
        &alone,
        &beside,
        &[elsewhere, (Kind::Wal, None, 2), (instance, Some("b"), 0)],
    );
    check(
        &beside,
        &alone,
        &[
            (Kind::Elsewhere, None, -5),
            (Kind::Wal, None, -2),
            (instance, Some("b"), 0),
        ],
    );
    let later = look(117, &[own(12), other(50)]);
    check(&beside, &later, &[(instance, Some("b"), 10)]);
    // At a pulse, too, where elsewhere gives what is named.
    let later = NOW + jiff::SignedDuration::from_mins(1);
    let pulsed = crate::disk::volume::at_pulse(Ok(107), vec![own(12), other(40)], &alone, later);
    let causes = why(&alone, &pulsed, NOW, &[]);
    let of = |kind| causes.iter().find(|cause| cause.part == kind);
    assert_eq!(
        of(Kind::Unexplained).map(|cause| cause.change_bytes),
        Some(5)
    );
    assert_eq!(of(Kind::Elsewhere), None, "{causes:?}");
}

#[test]
fn what_is_deleted_and_still_open_is_named() {
    let before = look(100, &[part(Kind::Database, Some("shop"), 60)]);
    let after = look(100, &[part(Kind::Database, Some("shop"), 20)]);
    let causes = why(&before, &after, NOW, &[]);
    let elsewhere = causes
        .iter()
        .find(|cause| cause.part == Kind::Elsewhere)
        .unwrap();
    assert!(
        elsewhere.text.contains("deleted and still open"),
        "{elsewhere:?}"
    );
}

#[test]
fn notes_are_told_with_their_part() {
    let before = look(
        100,
        &[
            part(Kind::Wal, None, 10),
            part(Kind::Database, Some("a"), 1),
        ],
    );
    let after = look(
        200,
        &[
            part(Kind::Wal, None, 90),
            part(Kind::Database, Some("a"), 2),
        ],
    );
    let note = |part, name: Option<&str>, text: &str| Note {
        part,
        name: name.map(str::to_owned),
        text: text.to_owned(),
    };
    let notes = [
        note(Kind::Wal, None, "slot s"),
        note(Kind::Wal, None, "archiving"),
        note(Kind::Database, Some("b"), "no"),
    ];
    let causes = why(&before, &after, NOW, &notes);
    assert_eq!(causes[0].text, "slot s; archiving");
    assert!(causes.iter().all(|cause| !cause.text.contains("no,")));
    assert_eq!(
        causes
            .iter()
            .find(|cause| cause.part == Kind::Database)
            .unwrap()
            .text,
        ""
    );
}
