//! What must hold for a forecast of any series whatever.

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::events::shapes;
use plimsoll_core::forecast::coherent::{Adjustment, HORIZONS_DAYS};
use plimsoll_core::forecast::{KnownChange, Point, forecast};
use plimsoll_core::outlook::{Outlook, OutlookQuery, outlook};
use proptest::prelude::*;

const DAY: i64 = 86_400;
const HORIZONS: [f64; 5] = [1.0, 7.0, 30.0, 90.0, 365.0];

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("within four digits of years")
}

/// One sample a day of the given sizes.
fn daily(sizes: &[u64]) -> Vec<Point> {
    (0..)
        .zip(sizes)
        .map(|(day, &bytes)| Point {
            at: at(1_700_000_000 + day * DAY),
            bytes,
        })
        .collect()
}

fn ask(points: &[Point], limits: &[u64]) -> Outlook {
    outlook(
        points,
        OutlookQuery {
            shapes_since: None,
            horizons_days: &HORIZONS,
            limits_bytes: limits,
            known: &[],
            adjustment: Adjustment::default(),
        },
    )
}

/// Whatever the series: no NaN, nothing negative, bounds in order, probabilities in their range.
fn assert_sound(answer: &Outlook) {
    for band in &answer.forecast {
        let edges = [band.lo95, band.lo80, band.point, band.hi80, band.hi95];
        assert!(
            edges.iter().all(|edge| edge.is_finite() && *edge >= 0.0),
            "{band:?}"
        );
        assert!(edges.is_sorted(), "{band:?}");
    }
    for passage in &answer.limits {
        let days = |days: Option<f64>| days.unwrap_or(f64::INFINITY);
        let order = [
            passage.lo95,
            passage.lo80,
            passage.point,
            passage.hi80,
            passage.hi95,
        ]
        .map(days);
        assert!(order.is_sorted(), "{passage:?}");
        let likely = passage.probability;
        let likely = [
            likely.within_7_days,
            likely.within_30_days,
            likely.within_90_days,
        ];
        assert!(
            likely.is_sorted() && likely.iter().all(|p| (0.0..=1.0).contains(p)),
            "{passage:?}"
        );
    }
    if let Some(insufficient) = &answer.insufficient_data {
        assert!(!insufficient.reason.is_empty());
        assert!(
            answer.forecast.is_empty() && answer.limits.is_empty() && answer.backtest.is_empty()
        );
    } else {
        assert_eq!(answer.forecast.len(), HORIZONS.len());
        assert!(answer.slope_bytes_per_day.is_some_and(f64::is_finite));
    }
    for record in &answer.backtest {
        assert!(record.error_bytes.is_finite() && record.error_bytes >= 0.0);
        for share in [record.coverage80, record.coverage95].into_iter().flatten() {
            assert!((0.0..=1.0).contains(&share));
        }
    }
}

/// Sizes of a series that grows, jumps, drops and rests.
fn sizes(days: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u64>> {
    let increment = prop_oneof![
        6 => 0_i64..2_000_000,
        2 => Just(0_i64),
        1 => -3_000_000_i64..0,
        1 => Just(400_000_000_i64),
    ];
    (1_u64 << 20..1 << 34, prop::collection::vec(increment, days)).prop_map(
        |(start, increments)| {
            let mut bytes = start;
            increments
                .into_iter()
                .map(|increment| {
                    bytes = bytes.saturating_add_signed(increment);
                    bytes
                })
                .collect()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_samples_at_any_times_give_a_sound_answer(
        samples in prop::collection::vec((-4_000_000_000_i64..4_000_000_000, any::<u64>()), 0..60),
    ) {
        let points: Vec<_> = samples.iter().map(|&(second, bytes)| Point { at: at(second), bytes }).collect();
        assert_sound(&ask(&points, &[0, 1 << 40, u64::MAX]));
        shapes(&points, &[]);
    }

    #[test]
    fn series_that_jump_and_drop_give_a_sound_answer(sizes in sizes(5..300)) {
        assert_sound(&ask(&daily(&sizes), &[1 << 30, 1 << 36]));
    }

    #[test]
    fn moving_all_times_moves_nothing_but_the_dates(sizes in sizes(5..150), back in any::<bool>()) {
        let here = daily(&sizes);
        // 28 years: the same calendar, for patterns by the day of the month
        let by = SignedDuration::from_hours(24 * if back { -10_227 } else { 10_227 });
        let there: Vec<_> = here.iter().map(|p| Point { at: p.at + by, ..*p }).collect();
        let (a, b) = (ask(&here, &[1 << 35]), ask(&there, &[1 << 35]));
        prop_assert_eq!(a.forecast, b.forecast);
        prop_assert_eq!(a.limits[0].point, b.limits[0].point);
        prop_assert_eq!(a.now.unwrap() + by, b.now.unwrap());
    }

    #[test]
    fn scaling_all_sizes_scales_the_forecast(sizes in sizes(5..150), power in 1_u32..8) {
        let larger: Vec<_> = sizes.iter().map(|bytes| bytes << power).collect();
        let factor = f64::from(1 << power);
        let (a, b) = (ask(&daily(&sizes), &[]), ask(&daily(&larger), &[]));
        for (a, b) in a.forecast.iter().zip(&b.forecast) {
            for (a, b) in [(a.point, b.point), (a.lo80, b.lo80), (a.hi95, b.hi95)] {
                prop_assert!((a * factor - b).abs() <= 1e-6 * b + 2.0 * factor, "{a} {b}");
            }
        }
    }

    #[test]
    fn order_and_repetition_of_samples_do_not_matter(sizes in sizes(5..120), seed in any::<u64>()) {
        let ordered = daily(&sizes);
        let mut shuffled: Vec<_> = ordered.iter().chain(&ordered).copied().collect();
        shuffled.sort_by_key(|p| (p.bytes ^ seed, p.at).0.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        prop_assert_eq!(ask(&ordered, &[1 << 35]), ask(&shuffled, &[1 << 35]));
    }

    #[test]
    fn a_higher_limit_is_reached_no_earlier(sizes in sizes(20..120)) {
        let last = sizes[sizes.len() - 1];
        let answer = ask(&daily(&sizes), &[last + 1_000_000, last + 100_000_000, last + 10_000_000_000]);
        let days: Vec<_> = answer.limits.iter().map(|l| l.point.unwrap_or(f64::INFINITY)).collect();
        prop_assert!(days.is_sorted());
    }
}

#[test]
fn adding_a_constant_to_a_steady_series_adds_it_to_the_forecast() {
    let sizes: Vec<u64> = (0..120)
        .map(|d| (40 << 30) + d * 9_000_000 + d * d % 7 * 400_000)
        .collect();
    let added = 3 << 30;
    let more: Vec<u64> = sizes.iter().map(|bytes| bytes + added).collect();
    let (a, b) = (ask(&daily(&sizes), &[]), ask(&daily(&more), &[]));
    for (a, b) in a.forecast.iter().zip(&b.forecast) {
        let moved = b.point - a.point;
        let growth = b.point - more[119] as f64;
        assert!((moved - added as f64).abs() <= 0.02 * growth, "{a:?} {b:?}");
    }
}

#[test]
fn a_steady_series_goes_on_and_its_limit_has_a_date() {
    let sizes: Vec<u64> = (0..90).map(|d| 1_000_000_000 + d * 10_000_000).collect();
    let last = sizes[89];
    let answer = ask(
        &daily(&sizes),
        &[last + 300_000_000, last, last + (1 << 50)],
    );
    let month = answer.forecast[2];
    assert!(
        (month.point - (last + 300_000_000) as f64).abs() < 3_000_000.0,
        "{month:?}"
    );
    assert_eq!(answer.limits[0].point, Some(30.0));
    assert!(answer.limits[0].probability.within_90_days > 0.95);
    assert_eq!(
        answer.limits[1].point,
        Some(0.0),
        "a limit that is reached is reached now"
    );
    assert_eq!(answer.limits[1].probability.within_7_days, 1.0);
    assert_eq!(answer.limits[2].point, None, "not within a year");
    assert_eq!(answer.limits[2].full_on.mid, None);
    assert!(
        answer
            .backtest
            .iter()
            .any(|record| record.h == 7 && record.error_to_naive.unwrap() < 0.1)
    );
    assert!(!answer.widened);
}

#[test]
fn too_little_history_is_unknown_and_says_why() {
    let two = ask(&daily(&[5, 6]), &[100]);
    assert!(
        two.insufficient_data
            .as_ref()
            .unwrap()
            .reason
            .contains("5 samples")
    );
    assert_eq!(two.level_bytes, Some(6));
    let hourly: Vec<_> = (0..40)
        .map(|h| Point {
            at: at(h * 3600),
            bytes: 5,
        })
        .collect();
    let short = ask(&hourly, &[100]);
    assert!(
        short
            .insufficient_data
            .as_ref()
            .unwrap()
            .reason
            .contains("3 days")
    );
    assert!(ask(&[], &[100]).insufficient_data.is_some());
    for answer in [two, short] {
        assert_sound(&answer);
        assert!(answer.limits.is_empty(), "unknown, not never");
    }
}

#[test]
fn bounds_of_a_short_history_are_widened_and_marked() {
    let size = |d: u64| 1_000_000_000 + d * 10_000_000 + (d * 7919 % 13) * 1_000_000;
    let sizes: Vec<u64> = (0..100).map(size).collect();
    let (short, long) = (ask(&daily(&sizes[80..]), &[]), ask(&daily(&sizes), &[]));
    assert!(short.widened && !long.widened);
    let width = |answer: &Outlook| answer.forecast[2].hi80 - answer.forecast[2].lo80;
    assert!(width(&short) > width(&long));
}

#[test]
fn a_constant_series_is_exact() {
    let answer = ask(&daily(&[12_345; 60]), &[12_346]);
    for band in &answer.forecast {
        assert_eq!([band.lo95, band.point, band.hi95], [12_345.0; 3]);
    }
    assert_eq!(answer.limits[0].point, None);
    assert_eq!(answer.limits[0].probability.within_90_days, 0.0);
    assert!(answer.events.is_empty());
    assert!(
        ask(&daily(&[0; 60]), &[])
            .forecast
            .iter()
            .all(|band| band.point == 0.0)
    );
}

#[test]
fn a_shrinking_series_ends_at_zero() {
    let sizes: Vec<u64> = (0..60).map(|d| 6_000_000_000 - d * 100_000_000).collect();
    let answer = ask(&daily(&sizes), &[]);
    assert_sound(&answer);
    assert_eq!(answer.forecast[4].point, 0.0);
}

#[test]
fn sizes_near_two_to_the_62_keep_their_growth() {
    let base = 1_u64 << 62;
    let sizes: Vec<u64> = (0..90).map(|d| base + d * (1 << 40)).collect();
    let answer = ask(&daily(&sizes), &[]);
    assert_sound(&answer);
    let growth = answer.forecast[2].point - sizes[89] as f64;
    assert!(
        (growth / (30.0 * (1_u64 << 40) as f64) - 1.0).abs() < 0.01,
        "{growth}"
    );
    assert_sound(&ask(&daily(&[u64::MAX; 30]), &[u64::MAX]));
}

#[test]
fn a_hundred_thousand_samples_and_gaps_of_a_year() {
    let minutes: Vec<_> = (0..100_000)
        .map(|m| Point {
            at: at(m * 600),
            bytes: 1_000_000_000 + m.cast_unsigned() * 10_000,
        })
        .collect();
    let answer = ask(&minutes, &[]);
    assert_sound(&answer);
    assert!((answer.slope_bytes_per_day.unwrap() - 1_440_000.0).abs() < 20_000.0);

    for gaps in [
        [0, 365, 366, 367, 368, 369],
        [0, 1, 2, 3, 4, 369],
        [0, 365, 730, 1095, 1460, 1825],
    ] {
        let points: Vec<_> = gaps
            .iter()
            .map(|&day| Point {
                at: at(day * DAY),
                bytes: 1_000_000 + day.cast_unsigned() * 1000,
            })
            .collect();
        assert_sound(&ask(&points, &[2_000_000]));
    }
}

#[test]
fn trap_37_a_clock_that_is_set_back_and_forth_does_no_harm() {
    let mut points = daily(
        &(0..90)
            .map(|d| 1_000_000_000 + d * 10_000_000)
            .collect::<Vec<_>>(),
    );
    let straight = ask(&points, &[]);
    // an hour is lived through twice, and one sample is a second late
    for point in &mut points[40..] {
        point.at -= SignedDuration::from_secs(3600);
    }
    points[60].at += SignedDuration::from_secs(3601);
    let stepped = ask(&points, &[]);
    assert_sound(&stepped);
    let (a, b) = (straight.forecast[2].point, stepped.forecast[2].point);
    assert!((a - b).abs() < 10_000_000.0, "{a} {b}");
}

#[test]
fn known_changes_leave_the_trend() {
    // too small a step to be noticed by its shape alone
    let sizes: Vec<u64> = (0..60)
        .map(|d| 1_000_000_000 + d * 1_000_000 + if d >= 56 { 9_000_000 } else { 0 })
        .collect();
    let points = daily(&sizes);
    let known = KnownChange {
        at: points[55].at + SignedDuration::from_hours(5),
        delta_bytes: None,
    };
    let point = |known: &[KnownChange]| {
        forecast(&points, known).unwrap().band(30.0).point - sizes[59] as f64
    };
    assert!((point(&[known]) - 30_000_000.0).abs() < 1_000_000.0);
    assert!(point(&[]) > 32_000_000.0);
    assert!(
        (point(&[KnownChange {
            delta_bytes: Some(9_000_000),
            ..known
        }]) - 30_000_000.0)
            .abs()
            < 1_000_000.0
    );
}

#[test]
fn weekly_drops_are_a_pattern_and_no_news() {
    // 10 MB come in a day, eight weeks are kept, a week's partition is dropped every Monday
    let mut bytes = 0_u64;
    let sizes: Vec<u64> = (0..200_u64)
        .map(|d| {
            bytes += 10_000_000 + d * 7919 % 11 * 100_000;
            if d >= 63 && d % 7 == 0 {
                bytes -= 73_000_000;
            }
            bytes
        })
        .collect();
    let answer = ask(&daily(&sizes), &[]);
    assert_eq!(answer.period_days, Some(7.0));
    assert!(answer.events.is_empty(), "{:?}", answer.events);
    let (week, quarter) = (answer.forecast[1].point, answer.forecast[3].point);
    assert!((week - sizes[199] as f64).abs() < 10_000_000.0);
    assert!((quarter - sizes[199] as f64).abs() < 80_000_000.0);
}

#[test]
fn space_that_is_used_again_is_a_plateau() {
    let sizes: Vec<u64> = (0..140_u64)
        .map(|d| 1_000_000_000 + d.min(100) * 10_000_000 + d * 7919 % 11 * 50_000)
        .collect();
    let band = ask(&daily(&sizes), &[]).forecast[2];
    assert!(
        (band.point - sizes[139] as f64).abs() < 30_000_000.0,
        "{band:?}"
    );
}

#[test]
fn a_load_is_one_alarm_and_a_shrink_is_information() {
    use plimsoll_core::events::ShapeKind::{Burst, LevelDown, LevelUp, SlopeUp};
    let base = |d: u64| 50_000_000_000 + d * 100_000_000 + d * 7919 % 11 * 10_000_000;
    let last = |sizes: &[u64]| {
        let shapes = shapes(&daily(sizes), &[]);
        let alerts = shapes.iter().filter(|shape| shape.alert).count();
        (shapes.first().map(|shape| shape.kind), alerts)
    };
    let with = |change: &dyn Fn(u64) -> i64| -> Vec<u64> {
        (0..120)
            .map(|d| base(d).saturating_add_signed(change(d)))
            .collect()
    };
    assert_eq!(last(&with(&|_| 0)), (None, 0));
    let load = |d| if d >= 110 { 10_000_000_000 } else { 0 };
    assert_eq!(last(&with(&load)), (Some(LevelUp), 1));
    let shrink = |d| if d >= 110 { -10_000_000_000 } else { 0 };
    assert_eq!(last(&with(&shrink)), (Some(LevelDown), 0));
    let faster = |d: u64| i64::try_from(d.saturating_sub(105) * 300_000_000).unwrap();
    assert_eq!(last(&with(&faster)), (Some(SlopeUp), 1));
    let burst = |d: u64| i64::try_from(d.clamp(105, 110) - 105).unwrap() * 2_000_000_000;
    assert_eq!(last(&with(&burst)), (Some(Burst), 1));
    // what is known to have happened is no news
    let points = daily(&with(&load));
    let known = KnownChange {
        at: points[110].at - SignedDuration::from_hours(2),
        delta_bytes: None,
    };
    assert!(shapes(&points, &[known]).is_empty());
}

#[test]
fn a_drop_is_seen_although_a_jump_before_it_made_the_tail_heavy() {
    use plimsoll_core::events::ShapeKind::LevelDown;
    let size = |d: u64| 50_000_000_000 + d * 25_000_000 + d * 7919 % 11 * 100_000;
    let jump = |d: u64| if d >= 90 { 450_000_000 } else { 0 };
    let drop = |d: u64| if d >= 110 { 800_000_000 } else { 0 };
    let sizes: Vec<u64> = (0..120).map(|d| size(d) + jump(d) - drop(d)).collect();
    let shapes = shapes(&daily(&sizes), &[]);
    let kinds: Vec<_> = shapes
        .iter()
        .map(|shape| (shape.kind, shape.alert))
        .collect();
    assert_eq!(kinds, [(LevelDown, false)]);
}

#[test]
fn an_adjusted_forecast_moves_its_dates_and_chances_with_its_points() {
    let growing = daily(&(0..90).map(|day| 1000 + day * 10).collect::<Vec<_>>());
    let mut adjustment = Adjustment::default();
    for (bytes, days) in adjustment.bytes.iter_mut().zip(HORIZONS_DAYS) {
        // twice as fast
        *bytes = days * 10.0;
    }
    let limits = [1890 + 400];
    let question = |adjustment| OutlookQuery {
        shapes_since: None,
        horizons_days: &[10.0, 30.0],
        limits_bytes: &limits,
        known: &[],
        adjustment,
    };
    let alone = outlook(&growing, question(Adjustment::default()));
    let moved = outlook(&growing, question(adjustment));
    assert_eq!(alone.limits[0].point, Some(40.0));
    assert_eq!(moved.limits[0].point, Some(20.0));
    let slope = moved.slope_bytes_per_day.expect("it grows");
    assert!((slope - 20.0).abs() < 1e-3, "{slope}");
    for (alone, moved) in alone.forecast.iter().zip(&moved.forecast) {
        assert_eq!(moved.point - alone.point, alone.h * 10.0);
        assert_eq!(moved.hi80 - moved.point, alone.hi80 - alone.point);
    }
    assert!(alone.limits[0].probability.within_30_days < 0.5);
    assert!(moved.limits[0].probability.within_30_days > 0.5);
    assert_eq!(alone.backtest, moved.backtest);

    let constant = daily(&[1000; 30]);
    let alone = outlook(&constant, question(Adjustment::default()));
    assert_eq!(outlook(&constant, question(adjustment)), alone);
}
