//! The pace on made-up volumes, one property each.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "made-up numbers are small"
)]

use jiff::{SignedDuration, Timestamp};

use super::*;

const GB: f64 = 1e9;

fn at(minutes: f64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + (minutes * 60.0) as i64).unwrap()
}

/// Looks each minute up to `minutes`.
fn looks(minutes: usize, bytes: impl Fn(f64) -> f64) -> Vec<Point> {
    (0..=minutes)
        .map(|m| Point {
            at: at(m as f64),
            bytes: bytes(m as f64) as u64,
        })
        .collect()
}

/// A week in which nothing moved.
fn still() -> Usual {
    let mut usual = Usual::default();
    for _ in 0..7 * 1440 {
        usual.count(&[Some(0.0); WINDOWS.len()]);
    }
    usual
}

fn minutes_until(date: Option<Timestamp>, now: Timestamp) -> f64 {
    date.map_or(f64::INFINITY, |date| {
        date.duration_since(now).as_secs_f64() / 60.0
    })
}

#[test]
fn three_looks_over_two_minutes_are_a_pace_and_less_is_none() {
    let one_gb_a_minute = looks(2, |m| 100.0 * GB + m * GB);
    let now = at(2.0);
    let young = pace(&one_gb_a_minute, &Usual::default(), 60_000_000_000, now).unwrap();
    assert!(young.is_young);
    assert_eq!(
        young.since, None,
        "nothing is usual yet, so nothing stands out"
    );
    let full = young.full(60_000_000_000, now);
    assert!(
        (minutes_until(full.mid, now) - 60.0).abs() < 1.0,
        "{full:?}"
    );
    assert!(full.low < full.mid && full.mid < full.high, "{full:?}");

    let error = pace(&one_gb_a_minute[..2], &Usual::default(), 1, now).unwrap_err();
    assert_eq!(
        error,
        TooFew {
            looks: 2,
            seconds: 60
        }
    );
    let three_at_once: Vec<Point> = (0..3)
        .map(|s| Point {
            at: at(0.0) + SignedDuration::from_secs(s),
            bytes: 1,
        })
        .collect();
    assert!(pace(&three_at_once, &Usual::default(), 1, at(0.1)).is_err());
    assert!(pace(&[], &Usual::default(), 1, now).is_err());
}

#[test]
fn a_young_history_answers_at_every_age_and_with_a_wider_range() {
    for minutes in [3, 5, 9, 10, 11, 25, 61, 200, 700, 1300] {
        let looks = looks(minutes, |m| 100.0 * GB + 0.1 * GB * m);
        let now = at(minutes as f64);
        let free = 60_000_000_000;
        let young = pace(&looks, &Usual::default(), free, now).unwrap();
        let full = young.full(free, now);
        assert!(
            (minutes_until(full.mid, now) / 600.0 - 1.0).abs() < 0.02,
            "{minutes}: {full:?}"
        );
        let old = pace(&looks, &still(), free, now).unwrap();
        assert!(young.high - young.low > old.high - old.low, "{minutes}");
    }
}

#[test]
fn what_began_an_hour_ago_is_seen_with_its_onset() {
    let looks = looks(1440, |m| 100.0 * GB + 0.5 * GB * (m - 1380.0).max(0.0));
    let now = at(1440.0);
    let pace = pace(&looks, &still(), 30_000_000_000, now).unwrap();
    assert!(
        (pace.bytes_per_hour / (30.0 * GB) - 1.0).abs() < 0.05,
        "{pace:?}"
    );
    let since = pace.since.unwrap();
    assert!(
        (since.duration_since(at(1380.0)).as_secs_f64() / 60.0).abs() < 10.0,
        "{since}"
    );
    assert_eq!(pace.gains_per_hour, 0.0, "an onset is not acceleration");
}

#[test]
fn what_accelerates_goes_on_accelerating() {
    // Full after 400 minutes; half of them have passed.
    let used = |m: f64| 100.0 * GB + 80.0 * GB * ((m - 1240.0).max(0.0) / 400.0).powi(2);
    let looks = looks(1440, used);
    let now = at(1440.0);
    let pace = pace(&looks, &still(), 60_000_000_000, now).unwrap();
    assert!(pace.gains_per_hour > 0.0);
    let minutes = minutes_until(pace.full(60_000_000_000, now).mid, now);
    assert!((minutes / 200.0 - 1.0).abs() < 0.15, "{minutes}");
}

#[test]
fn growth_that_is_a_week_old_is_usual_and_still_fills_the_disk() {
    let mut usual = Usual::default();
    for _ in 0..7 * 1440 {
        usual.count(&[Some(2.0 * GB); WINDOWS.len()]);
    }
    let looks = looks(1440, |m| 100.0 * GB + 2.0 * GB * m / 60.0);
    let now = at(1440.0);
    let pace = pace(&looks, &usual, 48_000_000_000, now).unwrap();
    assert_eq!(pace.since, None);
    let hours = minutes_until(pace.full(48_000_000_000, now).mid, now) / 60.0;
    assert!((hours - 24.0).abs() < 0.5, "{hours}");
}

#[test]
fn what_stands_still_or_falls_is_not_full_within_a_year() {
    for slope in [0.0, -0.01] {
        let looks = looks(1440, |m| 100.0 * GB + slope * GB * m);
        let now = at(1440.0);
        let full = pace(&looks, &still(), 1_000_000_000, now)
            .unwrap()
            .full(1_000_000_000, now);
        assert_eq!((full.mid, full.high), (None, None));
    }
    let looks = looks(1440, |m| 100.0 * GB + GB * m);
    let now = at(1440.0);
    let full = pace(&looks, &still(), 0, now).unwrap().full(0, now);
    assert_eq!(full.mid, Some(now), "no room left is full now");
}

#[test]
fn gaps_between_looks_and_late_pulses_change_nothing() {
    let mut some = looks(1440, |m| 100.0 * GB + 0.5 * GB * (m - 1340.0).max(0.0));
    some.retain(|look| !(1380..1385).contains(&((look.at.as_second() - 1_800_000_000) / 60)));
    for (i, look) in some.iter_mut().enumerate() {
        look.at += SignedDuration::from_secs((i % 3) as i64);
    }
    let now = some.last().unwrap().at;
    let pace = pace(&some, &still(), 30_000_000_000, now).unwrap();
    assert!(
        (pace.bytes_per_hour / (30.0 * GB) - 1.0).abs() < 0.05,
        "{pace:?}"
    );
}

#[test]
fn a_rewrite_that_fits_excuses_itself_and_what_grows_beside_it_does_not() {
    let rewrite = Rewrite {
        since: at(1400.0),
        needs_bytes: 40_000_000_000,
    };
    let grown = looks(1440, |m| 100.0 * GB + 0.5 * GB * (m - 1400.0).max(0.0));
    let now = at(1440.0);
    let free = 50_000_000_000;
    let excused = without_rewrites(&grown, &[rewrite], free);
    assert_eq!(
        pace(&excused, &still(), free, now)
            .unwrap()
            .full(free, now)
            .mid,
        None
    );
    // 20 of 40 GB are to come, and 10 GB are left.
    let tight = 10_000_000_000;
    assert_eq!(without_rewrites(&grown, &[rewrite], tight), grown);
    // It needs 5 GB, and 20 came.
    let small = Rewrite {
        needs_bytes: 5_000_000_000,
        ..rewrite
    };
    let beside = without_rewrites(&grown, &[small], free);
    assert!(
        pace(&beside, &still(), free, now)
            .unwrap()
            .full(free, now)
            .mid
            .is_some()
    );
    assert_eq!(without_rewrites(&[], &[rewrite], free), []);
}

#[test]
fn what_is_usual_adds_up_and_is_exact_to_five_per_cent() {
    let mut hours: Vec<Usual> = vec![Usual::default(); 24];
    for (hour, usual) in hours.iter_mut().enumerate() {
        for minute in 0..60 {
            let slope = if hour == 3 && minute < 40 {
                50.0 * GB
            } else {
                0.001 * GB
            };
            usual.count(&[
                Some(slope),
                None,
                Some(-slope),
                Some(slope),
                None,
                None,
                None,
                None,
            ]);
        }
    }
    let mut day = Usual::default();
    for hour in &hours {
        day.merge(hour);
    }
    assert_eq!((day.total(0), day.total(1)), (1440, 0));
    assert!((day.slope(0) / (50.0 * GB) - 1.0).abs() < 0.06);
    assert_eq!(
        (day.slope(1), day.slope(2)),
        (0.0, 0.0),
        "none, and what falls"
    );
    let hour = serde_json::to_string(&hours[5]).unwrap();
    assert!(hour.len() < 120, "{hour}");
    assert_eq!(serde_json::from_str::<Usual>(&hour).unwrap(), hours[5]);
}
