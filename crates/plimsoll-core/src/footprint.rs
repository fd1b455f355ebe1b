//! How large the history is going to be: a pure function from what is kept to a projection.

use jiff::{SignedDuration, Timestamp};

use crate::sample::SampleKind;
use crate::thinning::Retention;

/// Less than this of history says nothing about how large it is going to be.
pub const SHORTEST_BASIS: SignedDuration = SignedDuration::from_hours(24);

/// A relation's own row and its entries in indexes take about as much as so many values.
const VALUES_A_RELATION: u64 = 4;

/// So many samples, at least, say what others of their kind are going to hold.
const ENOUGH: usize = 5;

/// What is kept of one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptDatabase {
    /// The keys of its instance and of itself.
    pub keys: (i32, i32),
    /// How many relations the history knows of it, those that are gone too.
    pub relations: u64,
    /// Its samples, in any order.
    pub samples: Vec<KeptSample>,
}

/// A sample and how much of the history is its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptSample {
    /// The sample's id.
    pub id: i64,
    /// When it was taken.
    pub sampled_at: Timestamp,
    /// Why it was taken.
    pub kind: SampleKind,
    /// How many values count from it on: those that changed since the sample before it.
    pub values: u64,
}

/// What the values and what does not thin away weigh together, counted in values.
pub(crate) fn weight(databases: &[KeptDatabase]) -> u64 {
    databases
        .iter()
        .map(|database| {
            let values: u64 = database.samples.iter().map(|s| s.values + 1).sum();
            values + database.relations * VALUES_A_RELATION
        })
        .sum()
}

/// What the history is going to take, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Projection {
    /// If what changes in an hour, or a day, is the same again and again.
    pub low_bytes: u64,
    /// If it is something else each time. As `low_bytes` once that was seen.
    pub high_bytes: u64,
}

/// How many bytes the history is going to take once it is as old as it gets, while what is watched
/// changes as it did; `None` where too little was seen.
///
/// Each database's samples are counted as the retention keeps them, at the rate at which they came.
/// What a sample of a kind holds is measured on those that are there; before there are any, an hour
/// or a day holds between what one of its samples does and what they do together, but never more than one
/// value for each relation. The bytes follow from what a value takes now, its share of everything else included.
pub fn projection(
    databases: &[KeptDatabase],
    occupied_bytes: u64,
    retention: &Retention,
    now: Timestamp,
) -> Option<Projection> {
    let present = weight(databases);
    if present == 0 {
        return None;
    }
    let (mut low, mut high) = (0.0, 0.0);
    for database in databases {
        let (least, most) = of_one(database, retention, now)?;
        low += least;
        high += most;
    }
    let bytes = |future: f64| {
        let bytes = as_float(occupied_bytes) * future / as_float(present);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and far below 2^63"
        )]
        let bytes = bytes.round() as u64;
        bytes
    };
    Some(Projection {
        low_bytes: bytes(low),
        high_bytes: bytes(high),
    })
}

/// The weight that one database is going to have, in values: the least and the most.
fn of_one(database: &KeptDatabase, retention: &Retention, now: Timestamp) -> Option<(f64, f64)> {
    let mut samples = database.samples.clone();
    samples.sort_by_key(|sample| (sample.sampled_at, sample.id));
    // the first one holds a value for every relation, whatever changed
    let (first, rest) = samples.split_first()?;
    let covered = now.duration_since(first.sampled_at);
    if covered < SHORTEST_BASIS || rest.is_empty() {
        return None;
    }
    let relations = as_float(database.relations);
    let age = |sample: &KeptSample| now.duration_since(sample.sampled_at);
    let of = |keep: &dyn Fn(&&KeptSample) -> bool| rest.iter().filter(keep).copied().collect();
    let recent: Vec<KeptSample> = of(&|s| age(s) < retention.all_for);
    let detail: Vec<KeptSample> =
        of(&|s| s.kind != SampleKind::Daily && age(s) < retention.all_for);
    let hourly: Vec<KeptSample> =
        of(&|s| s.kind != SampleKind::Daily && age(s) >= retention.all_for);
    let old_daily: Vec<KeptSample> =
        of(&|s| s.kind == SampleKind::Daily && age(s) >= retention.hourly_for);
    let daily: Vec<KeptSample> = of(&|s| s.kind == SampleKind::Daily);

    let days = |length: SignedDuration| length.as_secs_f64() / 86_400.0;
    let recent_days = days(covered.min(retention.all_for)).max(1.0 / 24.0);
    let detail_a_day = as_float(detail.len() as u64) / recent_days;
    let values_a_day = total(&recent) / recent_days;
    let of_detail = mean(&detail, 1).unwrap_or(0.0);
    let of_an_hour = mean(&hourly, ENOUGH).map_or_else(
        || {
            let most = (values_a_day / detail_a_day.clamp(1.0, 24.0)).min(relations);
            (of_detail.min(most), most)
        },
        |seen| (seen, seen),
    );
    let has_detail = !detail.is_empty() || !hourly.is_empty();
    let seen_of_a_day = if has_detail {
        mean(&old_daily, ENOUGH)
    } else {
        Some(mean(&daily, 1).unwrap_or(0.0))
    };
    let of_a_day = seen_of_a_day.map_or_else(
        || {
            let most = values_a_day.min(relations);
            (of_an_hour.0.min(most), most)
        },
        |seen| (seen, seen),
    );

    let all_days = days(retention.all_for);
    let hourly_days = days(retention.hourly_for.max(retention.all_for)) - all_days;
    let kept_daily = as_float(retention.daily_samples as u64);
    let is_sampled_daily = !daily.is_empty() || first.kind == SampleKind::Daily;
    let (young_daily, old_daily) = match (is_sampled_daily, has_detail) {
        (false, _) => (0.0, 0.0),
        (true, false) => (0.0, kept_daily),
        (true, true) => {
            let young = kept_daily.min(all_days + hourly_days);
            (young, kept_daily - young)
        }
    };
    let samples_of = |count: f64, values: f64| count * (values + 1.0);
    let weight = |of_an_hour: f64, of_a_day: f64| {
        relations * (1.0 + as_float(VALUES_A_RELATION))
            + samples_of(detail_a_day * all_days, of_detail)
            + samples_of(detail_a_day.min(24.0) * hourly_days, of_an_hour)
            // between samples of an hour or less, a daily one holds no more than they do
            + samples_of(young_daily, of_detail)
            + samples_of(old_daily, of_a_day)
    };
    Some((
        weight(of_an_hour.0, of_a_day.0),
        weight(of_an_hour.1, of_a_day.1),
    ))
}

fn total(samples: &[KeptSample]) -> f64 {
    as_float(samples.iter().map(|sample| sample.values).sum())
}

fn mean(samples: &[KeptSample], at_least: usize) -> Option<f64> {
    (samples.len() >= at_least).then(|| total(samples) / as_float(samples.len() as u64))
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn as_float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELATIONS: u64 = 1000;
    const BYTES_A_VALUE: u64 = 30;

    fn now() -> Timestamp {
        "2026-06-30T00:00:00Z".parse().unwrap()
    }

    /// A database watched every quarter of an hour for so many days, thinned as the retention says;
    /// the same relations change each time.
    fn watched(days: i64, retention: &Retention, quarter_values: u64) -> KeptDatabase {
        let start = now() - SignedDuration::from_hours(24 * days);
        let mut samples: Vec<KeptSample> = (0..=days * 96)
            .map(|n| KeptSample {
                id: n,
                sampled_at: start + SignedDuration::from_mins(15 * n),
                kind: if n % 96 == 0 {
                    SampleKind::Daily
                } else {
                    SampleKind::Watch
                },
                values: if n == 0 { RELATIONS } else { quarter_values },
            })
            .collect();
        let kept: Vec<_> = samples
            .iter()
            .map(|s| crate::thinning::Kept {
                id: s.id,
                sampled_at: s.sampled_at,
                kind: s.kind,
            })
            .collect();
        let dropped = crate::thinning::plan(&kept, retention, now());
        // the same relations change each time: a sample that is left holds them once
        samples.retain(|s| !dropped.contains(&s.id));
        if let Some(first) = samples.first_mut() {
            first.values = RELATIONS;
        }
        KeptDatabase {
            keys: (1, 1),
            relations: RELATIONS,
            samples,
        }
    }

    #[test]
    fn a_history_that_is_as_old_as_it_gets_stays_as_large_as_it_is() {
        let retention = Retention::default();
        for quarter_values in [0, 10, 50] {
            let old = watched(200, &retention, quarter_values);
            let occupied = weight(std::slice::from_ref(&old)) * BYTES_A_VALUE;
            let projected = projection(&[old], occupied, &retention, now()).unwrap();
            let ratio = as_float(projected.high_bytes) / as_float(occupied);
            assert!((0.97..1.03).contains(&ratio), "{quarter_values}: {ratio}");
            assert_eq!(
                projected.low_bytes, projected.high_bytes,
                "all of it was seen"
            );
        }
    }

    #[test]
    fn what_becomes_of_a_young_history_lies_within_its_range() {
        let retention = Retention::default();
        let grown = as_float(weight(&[watched(200, &retention, 10)]) * BYTES_A_VALUE);
        for (days, at_most) in [(2, 9.0), (5, 8.0), (20, 1.05)] {
            let young = [watched(days, &retention, 10)];
            let occupied = weight(&young) * BYTES_A_VALUE;
            let Projection {
                low_bytes,
                high_bytes,
            } = projection(&young, occupied, &retention, now()).unwrap();
            assert!(low_bytes > occupied, "after {days} days");
            let (low, high) = (as_float(low_bytes) / grown, as_float(high_bytes) / grown);
            // here the same relations change each time, which is the low end of what can be
            assert!((0.95..1.05).contains(&low), "after {days} days: {low}");
            assert!((low..at_most).contains(&high), "after {days} days: {high}");
        }
        // where others change each time, it is the high end that holds
        let different = |days: i64| {
            let mut holding = watched(days, &retention, 2);
            for sample in holding.samples.iter_mut().skip(1) {
                let age = now().duration_since(sample.sampled_at);
                let gathers = if age < retention.all_for {
                    1
                } else if age < retention.hourly_for {
                    4
                } else {
                    96
                };
                sample.values = 2 * gathers;
            }
            holding
        };
        let grown = as_float(weight(&[different(200)]) * BYTES_A_VALUE);
        let young = [different(2)];
        let occupied = weight(&young) * BYTES_A_VALUE;
        let range = projection(&young, occupied, &retention, now()).unwrap();
        let (low, high) = (
            as_float(range.low_bytes) / grown,
            as_float(range.high_bytes) / grown,
        );
        assert!(low < 1.0 && high > 0.95, "{low} {high}");
    }

    #[test]
    fn what_is_only_sampled_daily_grows_to_the_daily_samples_that_are_kept() {
        let daily = |days: i64| KeptDatabase {
            keys: (1, 1),
            relations: RELATIONS,
            samples: (0..days)
                .map(|day| KeptSample {
                    id: day,
                    sampled_at: now() - SignedDuration::from_hours(24 * (days - day)),
                    kind: SampleKind::Daily,
                    values: if day == 0 { RELATIONS } else { 40 },
                })
                .collect(),
        };
        let grown = weight(&[daily(90)]) * BYTES_A_VALUE;
        let young = [daily(10)];
        let occupied = weight(&young) * BYTES_A_VALUE;
        let projected = projection(&young, occupied, &Retention::default(), now()).unwrap();
        assert_eq!(projected.low_bytes, projected.high_bytes);
        let ratio = as_float(projected.high_bytes) / as_float(grown);
        assert!((0.98..1.02).contains(&ratio), "{ratio}");
    }

    #[test]
    fn less_than_a_day_says_nothing() {
        let retention = Retention::default();
        assert_eq!(projection(&[], 4096, &retention, now()), None);
        let mut young = watched(2, &retention, 10);
        young
            .samples
            .retain(|s| now().duration_since(s.sampled_at) < SHORTEST_BASIS);
        assert_eq!(projection(&[young], 4096, &retention, now()), None);
    }
}
