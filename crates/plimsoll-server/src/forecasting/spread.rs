//! Makes the forecasts of a size's parts agree with that of the whole: what it grows by is what they grow by.

use plimsoll_core::forecast::coherent::{Adjustment, Estimate, HORIZONS, HORIZONS_DAYS, Tree};

use super::gather::own;
use super::reads::Series;

/// What the forecast of each part is moved by; `adjustment` is what that of the whole is moved by. None where one of
/// them cannot be forecast.
pub(super) fn spread(
    whole: &Series,
    adjustment: Adjustment,
    parts: &[&Series],
) -> Option<Vec<Adjustment>> {
    let own_of = |series: &Series| own(&series.points, &[], &series.known());
    let all = own_of(whole)?;
    let owns: Option<Vec<_>> = parts.iter().map(|part| own_of(part)).collect();
    let owns = owns?;
    let mut tree = Tree::default();
    let root = tree.add(None);
    let leaves: Vec<_> = parts
        .iter()
        .map(|part| {
            let leaf = tree.add(Some(root));
            tree.set_level(
                leaf,
                part.points.last().map_or(0.0, |last| last.bytes as f64),
            );
            leaf
        })
        .collect();
    let mut moved = vec![Adjustment::default(); parts.len()];
    for at in 0..HORIZONS {
        let target = Estimate {
            grown: all[at].grown + adjustment.at(HORIZONS_DAYS[at]),
            // What the whole grows by is settled.
            variance: 0.0,
        };
        let grown = tree.reconcile(|node| {
            let leaf = leaves.iter().position(|leaf| *leaf == node);
            Some(leaf.map_or(target, |leaf| owns[leaf][at]))
        });
        for (leaf, moved) in moved.iter_mut().enumerate() {
            moved.bytes[at] = grown[leaf + 1] - owns[leaf][at].grown;
        }
    }
    Some(moved)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use plimsoll_core::forecast::Point;

    use super::*;

    fn series(first: u64, step: u64, noise: u64) -> Series {
        let points = (0..60).map(|day: u64| Point {
            at: Timestamp::from_second(i64::try_from(day).unwrap() * 86_400).unwrap(),
            bytes: first + step * day + noise * (day * 7919 % 13),
        });
        Series {
            points: points.collect(),
            ..Series::default()
        }
    }

    #[test]
    fn parts_grow_by_what_the_whole_grows_by() {
        let parts = [
            series(1 << 30, 1 << 20, 1 << 18),
            series(1 << 28, 3 << 20, 1 << 19),
        ];
        let mut whole = parts[0].clone();
        for (point, other) in whole.points.iter_mut().zip(&parts[1].points) {
            point.bytes += other.bytes;
        }
        let adjustment = Adjustment {
            bytes: HORIZONS_DAYS.map(|days| days * 1e6),
        };
        let moved = spread(&whole, adjustment, &[&parts[0], &parts[1]]).unwrap();
        let grown = |series: &Series, at: usize| own(&series.points, &[], &[]).unwrap()[at].grown;
        for at in 0..HORIZONS {
            let wanted = grown(&whole, at) + adjustment.bytes[at];
            let sum: f64 = (0..2)
                .map(|i| grown(&parts[i], at) + moved[i].bytes[at])
                .sum();
            assert!((sum - wanted).abs() < 1.0, "{at}: {sum} {wanted}");
        }
    }

    #[test]
    fn without_a_forecast_of_each_nothing_is_moved() {
        let adjustment = Adjustment {
            bytes: [7.0; HORIZONS],
        };
        let moved = spread(&series(1, 1, 0), adjustment, &[&Series::default()]);
        assert_eq!(moved, None);
    }
}
