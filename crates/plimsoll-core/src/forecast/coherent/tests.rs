//! What must hold for the growths of any tree that is made to agree.

use proptest::prelude::*;

use super::*;

/// A tree as parents' places, with each node's own forecast.
type Grown = (Vec<Option<usize>>, Vec<Option<Estimate>>);

fn build(parents: &[Option<usize>], level: f64) -> (Tree, Vec<NodeId>) {
    let mut tree = Tree::default();
    let mut ids: Vec<NodeId> = Vec::new();
    for parent in parents {
        let id = tree.add(parent.map(|at| ids[at]));
        tree.set_level(id, level);
        ids.push(id);
    }
    (tree, ids)
}

fn reconciled((parents, own): &Grown, level: f64) -> Vec<f64> {
    build(parents, level).0.reconcile(|id| own[id.0])
}

fn estimate(grown: f64, variance: f64) -> Option<Estimate> {
    Some(Estimate { grown, variance })
}

fn parts_of(parents: &[Option<usize>], of: usize) -> Vec<usize> {
    (0..parents.len())
        .filter(|&at| parents[at] == Some(of))
        .collect()
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-6 * (1.0 + a.abs().max(b.abs()))
}

/// Up to 12 nodes, each below one before it.
fn tree() -> impl Strategy<Value = Vec<Option<usize>>> {
    prop::collection::vec(any::<prop::sample::Index>(), 1..12).prop_map(|picks| {
        let below = picks
            .iter()
            .enumerate()
            .map(|(at, pick)| Some(pick.index(at + 1)));
        std::iter::once(None).chain(below).collect()
    })
}

fn grown(variance: impl Strategy<Value = f64> + Clone) -> impl Strategy<Value = Grown> {
    tree().prop_flat_map(move |parents| {
        let one = (-1000.0..1000.0, variance.clone())
            .prop_map(|(grown, variance)| estimate(grown, variance));
        (
            Just(parents.clone()),
            prop::collection::vec(one, parents.len()),
        )
    })
}

/// Some nodes without a forecast, some certain.
fn any_grown() -> impl Strategy<Value = Grown> {
    tree().prop_flat_map(|parents| {
        let one = prop_oneof![
            1 => Just(None),
            1 => (-1000.0..1000.0).prop_map(|grown| estimate(grown, 0.0)),
            1 => Just(estimate(f64::NAN, 1.0)),
            1 => Just(estimate(5.0, f64::INFINITY)),
            4 => (-1000.0..1000.0, 0.01..1e6).prop_map(|(grown, v)| estimate(grown, v)),
        ];
        (
            Just(parents.clone()),
            prop::collection::vec(one, parents.len()),
        )
    })
}

/// Weighted least squares over the leaves, as a dense system: `(S' W S) b = S' W y`.
fn dense((parents, own): &Grown) -> Vec<f64> {
    let leaves: Vec<usize> = (0..parents.len())
        .filter(|&at| parts_of(parents, at).is_empty())
        .collect();
    let is_above = |node: usize, leaf: usize| {
        let mut at = Some(leaf);
        while let Some(here) = at {
            if here == node {
                return 1.0;
            }
            at = parents[here];
        }
        0.0
    };
    let size = leaves.len();
    let mut system = vec![vec![0.0; size + 1]; size];
    for (node, own) in own.iter().enumerate() {
        let Estimate { grown, variance } = own.unwrap();
        for row in 0..size {
            let here = is_above(node, leaves[row]) / variance;
            for (cell, &leaf) in system[row].iter_mut().zip(&leaves) {
                *cell += here * is_above(node, leaf);
            }
            system[row][size] += here * grown;
        }
    }
    for pivot in 0..size {
        let best = (pivot..size)
            .max_by(|&a, &b| system[a][pivot].abs().total_cmp(&system[b][pivot].abs()))
            .unwrap();
        system.swap(pivot, best);
        for row in 0..size {
            if row != pivot {
                let factor = system[row][pivot] / system[pivot][pivot];
                let above = system[pivot].clone();
                for (cell, above) in system[row].iter_mut().zip(above) {
                    *cell -= factor * above;
                }
            }
        }
    }
    let solved: Vec<f64> = (0..size)
        .map(|row| system[row][size] / system[row][row])
        .collect();
    (0..parents.len())
        .map(|node| {
            leaves
                .iter()
                .zip(&solved)
                .map(|(&leaf, grown)| is_above(node, leaf) * grown)
                .sum()
        })
        .collect()
}

proptest! {
    #[test]
    fn it_is_the_least_squares_solution(grown in grown(1.0_f64..1e4)) {
        // sizes so large that no bound is met
        let found = reconciled(&grown, 1e12);
        for (found, wanted) in found.iter().zip(dense(&grown)) {
            prop_assert!(close(*found, wanted), "{found} is not {wanted}");
        }
    }

    #[test]
    fn parents_grow_by_what_their_parts_grow_by(grown in any_grown(), level in 1.0_f64..2000.0) {
        // a parent has what its parts have
        let mut levels = vec![0.0; grown.0.len()];
        let (mut tree, ids) = build(&grown.0, 0.0);
        for at in (0..ids.len()).rev() {
            if parts_of(&grown.0, at).is_empty() {
                levels[at] = level;
            }
            if let Some(parent) = grown.0[at] {
                levels[parent] += levels[at];
            }
            tree.set_level(ids[at], levels[at]);
        }
        let found = tree.reconcile(|id| grown.1[id.0]);
        for (at, (found_here, level)) in found.iter().zip(levels).enumerate() {
            prop_assert!(found_here.is_finite());
            prop_assert!(level + found_here >= -1e-6 * level, "below 0: {found_here} of {level}");
            let parts = parts_of(&grown.0, at);
            let sum: f64 = parts.iter().map(|&part| found[part]).sum();
            prop_assert!(parts.is_empty() || close(sum, *found_here), "{sum} is not {found_here}");
        }
    }

    #[test]
    fn what_never_moved_does_not_move(grown in any_grown()) {
        let found = reconciled(&grown, 1e12);
        for (at, own) in grown.1.iter().enumerate() {
            if parts_of(&grown.0, at).is_empty() && own.is_some_and(|own| own.variance == 0.0) {
                prop_assert_eq!(found[at], own.unwrap().grown);
            }
        }
    }

    #[test]
    fn what_agrees_already_is_left_alone(grown in grown(1.0_f64..1e4)) {
        let agreed = reconciled(&grown, 1e12);
        let own = grown.1.iter().zip(&agreed);
        let own = own.map(|(own, &grown)| estimate(grown, own.unwrap().variance)).collect();
        let again = reconciled(&(grown.0, own), 1e12);
        for (a, b) in agreed.iter().zip(again) {
            prop_assert!(close(*a, b));
        }
    }

    #[test]
    fn the_order_of_the_parts_does_not_matter(
        parts in prop::collection::vec((-1000.0_f64..1000.0, 0.0_f64..1e4), 1..10),
        root in (-1000.0_f64..1000.0, 0.0_f64..1e4),
    ) {
        let star = |parts: &[(f64, f64)]| {
            let parents = std::iter::once(None).chain(parts.iter().map(|_| Some(0))).collect();
            let own = std::iter::once(&root).chain(parts).map(|&(g, v)| estimate(g, v)).collect();
            reconciled(&(parents, own), 500.0)
        };
        let forward = star(&parts);
        let reversed: Vec<_> = parts.iter().rev().copied().collect();
        let mut backward = star(&reversed);
        backward[1..].reverse();
        for (a, b) in forward.iter().zip(backward) {
            prop_assert!(close(*a, b), "{a} is not {b}");
        }
    }
}

#[test]
fn certain_and_missing_forecasts_are_decided_by_the_other_side() {
    let star = [None, Some(0), Some(0)].to_vec();
    for (own, wanted) in [
        // the parts are known, the whole is not
        (
            [None, estimate(3.0, 1.0), estimate(4.0, 1.0)],
            [7.0, 3.0, 4.0],
        ),
        // the whole is certain: the parts share what is missing by their variances
        (
            [estimate(10.0, 0.0), estimate(3.0, 1.0), estimate(4.0, 2.0)],
            [10.0, 4.0, 6.0],
        ),
        // a part without a forecast stays as it is
        (
            [estimate(10.0, 1.0), estimate(3.0, 1.0), None],
            [6.5, 6.5, 0.0],
        ),
        // nothing below moves: neither does the whole
        (
            [estimate(10.0, 1.0), estimate(0.0, 0.0), None],
            [0.0, 0.0, 0.0],
        ),
        // all is certain, and the parts decide
        (
            [estimate(10.0, 0.0), estimate(1.0, 0.0), estimate(2.0, 0.0)],
            [3.0, 1.0, 2.0],
        ),
        ([None, None, None], [0.0, 0.0, 0.0]),
    ] {
        let found = reconciled(&(star.clone(), own.to_vec()), 1e12);
        assert!(
            found.iter().zip(wanted).all(|(a, b)| close(*a, b)),
            "{found:?} is not {wanted:?}"
        );
    }
}

#[test]
fn a_part_that_would_fall_below_zero_stays_there() {
    let mut tree = Tree::default();
    let root = tree.add(None);
    let small = tree.add(Some(root));
    let large = tree.add(Some(root));
    for (node, level) in [(root, 1010.0), (small, 10.0), (large, 1000.0)] {
        tree.set_level(node, level);
    }
    let own = [
        estimate(-200.0, 1.0),
        estimate(-5.0, 50.0),
        estimate(0.0, 50.0),
    ];
    let found = tree.reconcile(|id| own[id.0]);
    assert_eq!(found[small.0], -10.0);
    assert!(close(found[root.0], found[small.0] + found[large.0]));
    assert!(found[root.0] < -190.0);
}

#[test]
fn adjustments_are_linear_between_horizons_and_stay_after_the_last() {
    let mut adjustment = Adjustment::default();
    for (bytes, days) in adjustment.bytes.iter_mut().zip(HORIZONS_DAYS) {
        *bytes = days * 10.0;
    }
    for (days, wanted) in [
        (0.0, 0.0),
        (0.5, 5.0),
        (7.0, 70.0),
        (10.0, 100.0),
        (365.0, 3650.0),
    ] {
        assert!(close(adjustment.at(days), wanted), "{days}");
    }
    assert_eq!(adjustment.at(3650.0), 3650.0);
    assert_eq!(adjustment.at(-1.0), 0.0);
}
