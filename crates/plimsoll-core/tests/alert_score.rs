//! The rules of alerts against their bars, on a small part of what `docs/ALERTS.md` is scored on.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "made-up numbers are small"
)]
#![allow(dead_code, reason = "the example writes tables, too")]

#[path = "../examples/alert_score/days.rs"]
mod days;
#[path = "../examples/pace_score/dice.rs"]
mod dice;
#[path = "alert_score/made.rs"]
mod made;
#[path = "../examples/alert_score/minutes.rs"]
mod minutes;
#[path = "../examples/alert_score/others.rs"]
mod others;
#[path = "../examples/alert_score/score.rs"]
mod score;
#[path = "../examples/alert_score/tables.rs"]
mod tables;
#[path = "../examples/alert_score/told.rs"]
mod told;
#[path = "../examples/alert_score/worlds.rs"]
mod worlds;

use plimsoll_core::alert::AlertType;

use days::Series;
use worlds::Kind;

/// As `make alert-score` never uses it.
const SEED: u64 = 77;

#[test]
fn growth_is_told_and_nothing_else_and_a_limit_is_told_in_time() {
    let (monthly, others): (Vec<_>, Vec<_>) = (SEED..SEED + 2)
        .flat_map(|seed| made::ALL.map(|kind| (kind, seed)))
        .partition(|(kind, _)| *kind == made::Kind::MonthlyLoad);
    let scores_of = |all: &[(made::Kind, u64)]| {
        let series: Vec<Series> = all
            .iter()
            .map(|&(kind, seed)| made::series(kind, seed))
            .collect();
        tables::of_days(&series)
    };
    let scores = scores_of(&others);
    let growth = &scores[tables::EITHER];
    assert_eq!((growth.happened, growth.found), (6, 6), "{growth}");
    assert_eq!(growth.wrong, 0, "{growth}");
    let limits = &scores["time_to_full"];
    assert_eq!(limits.happened, 16);
    assert!(
        limits.recall() >= 0.9 && limits.precision() >= 0.8,
        "{limits}"
    );
    for (rule, score) in scores.iter().filter(|(rule, _)| is_own(rule)) {
        assert_eq!(score.brief, 0, "{rule}: {score}");
    }
    // What comes each month is known to after two of them.
    let growth = &scores_of(&monthly)[tables::EITHER];
    assert!(growth.most_wrong <= 2, "{growth}");
}

/// `make alert-score` plays others, too.
const COMES_AND_GOES: [Kind; 5] = [
    Kind::NightlyDump,
    Kind::SawTooth,
    Kind::VacuumFull,
    Kind::Truncate,
    Kind::Restore,
];

#[test]
fn what_comes_and_goes_on_a_server_is_never_told() {
    let played = tables::of_minutes(&COMES_AND_GOES, &[SEED]);
    let told: Vec<_> = played
        .by_kind
        .iter()
        .filter(|((_, rule), (told, _))| is_own(rule) && *told > 0)
        .collect();
    assert_eq!(played.servers.len(), COMES_AND_GOES.len());
    assert!(told.is_empty(), "{told:?}");
}

fn is_own(rule: &str) -> bool {
    AlertType::NAMES.contains(&rule)
}

#[test]
fn what_harms_a_server_is_told_in_time() {
    let kinds = [
        Kind::RunawayQuery,
        Kind::HeldWal,
        Kind::BulkLoad,
        Kind::StrayFiles,
    ];
    let played = tables::of_minutes(&kinds, &[SEED]);
    for (rule, happened) in [
        ("filling_fast", 1),
        ("volume_full", 1),
        ("wal_retention", 1),
        ("growth_warning", 1),
        ("abnormal_growth", 2),
        ("unattributed_growth", 1),
    ] {
        let score = &played.scores[rule];
        assert_eq!(
            (score.happened, score.found),
            (happened, happened),
            "{rule}: {score}"
        );
        assert_eq!(score.wrong, 0, "{rule}: {score}");
    }
}
