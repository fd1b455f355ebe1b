//! The present pace against its bars, on the made-up volumes that `docs/FORECAST.md` is scored on.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "made-up numbers are small"
)]

#[path = "../examples/pace_score/dice.rs"]
mod dice;
#[path = "../examples/pace_score/generate.rs"]
mod generate;
#[path = "../examples/pace_score/score.rs"]
mod score;

#[test]
fn burns_are_foreseen_once_half_of_their_time_has_passed() {
    let scores = score::score_burns(0.5);
    let (all, kinds) = scores.split_last().unwrap();
    for kind in kinds {
        assert!(
            kind.median_error <= 0.35,
            "{}: {}",
            kind.name,
            kind.median_error
        );
    }
    assert_eq!(all.burns, 200);
    assert!(all.median_error <= 0.12, "{}", all.median_error);
    assert!((0.7..=0.9).contains(&all.cover), "{}", all.cover);
    assert!(all.not_seen <= 8, "{}", all.not_seen);
}

#[test]
fn ordinary_days_hardly_ever_say_within_a_day() {
    let scores = score::score_days();
    let days: usize = scores.iter().map(|score| score.days).sum();
    let false_alarms: usize = scores.iter().map(|score| score.false_alarms).sum();
    let by_kind: Vec<_> = scores
        .iter()
        .map(|score| (&score.name, score.false_alarms))
        .collect();
    assert_eq!(days, 200);
    assert!(false_alarms <= 4, "{by_kind:?}");
}
