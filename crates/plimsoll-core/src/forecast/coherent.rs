//! Makes the forecasts of a tree agree: what a parent grows by is what its parts grow by.
//!
//! Each node has a forecast of its own, and those of a database's tables do not add up to the
//! database's. Of all growths that add up, those are taken that differ least from the forecasts, each
//! difference weighed by the inverse of its forecast's error variance: weighted least squares with a
//! diagonal matrix, `WLS_v` in chapter 11 of Hyndman and Athanasopoulos, "Forecasting: Principles and
//! Practice" (3rd edition), and MinT with a diagonal estimate in Wickramasuriya, Athanasopoulos and
//! Hyndman, JASA 114 (2019). On a tree two passes solve it exactly, without a matrix:
//!
//! - up: a node's own forecast `(y, s2)` and its parts' sum `(S, V)` are two measurements of one thing:
//!   `m = (y V + S s2) / (s2 + V)`, `v = s2 V / (s2 + V)`;
//! - down: what a parent finally grows by differs from `S`, and its parts share the difference in
//!   proportion to their variances: `x = m + v / V * (parent - S)`.
//!
//! What is certain (a size that never moved) has the variance 0 and does not move. No size falls below
//! 0: a part that would stays at 0, and the others share what is left.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

/// At so many horizons a tree is made to agree, and between them what it took is interpolated.
pub const HORIZONS: usize = 10;
/// Those horizons, in days.
pub const HORIZONS_DAYS: [f64; HORIZONS] =
    [1.0, 2.0, 4.0, 7.0, 14.0, 30.0, 60.0, 90.0, 180.0, 365.0];

/// The normal distribution's 90 % quantile: of the half-width of the 80 % bounds in standard deviations.
const Z80: f64 = 1.281_551_565_5;

/// What something is expected to grow by, and how sure that is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Bytes; negative where it shrinks.
    pub grown: f64,
    /// The variance of the error, in squared bytes. 0 is certain.
    pub variance: f64,
}

impl Estimate {
    /// From the half-width of the 80 % bounds.
    pub fn from_half80(grown: f64, half80: f64) -> Self {
        Self {
            grown,
            variance: (half80 / Z80).powi(2),
        }
    }

    /// Half the width of the 80 % bounds.
    pub fn half80(&self) -> f64 {
        self.variance.max(0.0).sqrt() * Z80
    }

    fn is_finite(&self) -> bool {
        self.grown.is_finite() && self.variance.is_finite()
    }
}

/// Names a node of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(usize);

/// Who is part of whom. Every parent is there before its parts.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    parents: Vec<Option<NodeId>>,
    level_bytes: Vec<f64>,
}

impl Tree {
    /// Adds a node; `parent` is one that this tree returned. There is one root, the first node.
    pub fn add(&mut self, parent: Option<NodeId>) -> NodeId {
        let id = NodeId(self.parents.len());
        self.parents.push(parent);
        self.level_bytes.push(0.0);
        id
    }

    /// Says how many bytes a node has now: it cannot lose more.
    pub fn set_level(&mut self, node: NodeId, bytes: f64) {
        self.level_bytes[node.0] = bytes.max(0.0);
    }

    /// How many nodes there are.
    pub const fn len(&self) -> usize {
        self.parents.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.parents.is_empty()
    }

    /// What each node grows by, so that every parent grows by the sum of its parts.
    ///
    /// `own` gives a node's own forecast; a leaf without one stays as it is, and a parent without one
    /// is its parts' sum.
    pub fn reconcile(&self, own: impl Fn(NodeId) -> Option<Estimate>) -> Vec<f64> {
        let mut nodes = self.combined(own);
        let mut parts: BTreeMap<NodeId, Vec<usize>> = BTreeMap::new();
        for (at, parent) in self.parents.iter().enumerate() {
            if let Some(parent) = parent {
                parts.entry(*parent).or_default().push(at);
            }
        }
        // in the order of the parents, which come before their parts
        for (parent, parts) in parts {
            share(nodes[parent.0].grown, &parts, &mut nodes);
        }
        nodes.into_iter().map(|node| node.grown).collect()
    }

    /// The way up: every node's best estimate from itself and from what is below it.
    fn combined(&self, own: impl Fn(NodeId) -> Option<Estimate>) -> Vec<Combined> {
        let mut sums = vec![Sum::default(); self.len()];
        let mut nodes = vec![Combined::default(); self.len()];
        for at in (0..self.len()).rev() {
            let own = own(NodeId(at)).filter(Estimate::is_finite);
            let sum = &sums[at];
            let least = if sum.has_parts {
                sum.least.max(-self.level_bytes[at])
            } else {
                -self.level_bytes[at]
            };
            let (grown, variance) = match (own, sum.has_parts) {
                (None, false) => (0.0, 0.0),
                (None, true) => (sum.grown, sum.variance),
                (Some(own), false) => (own.grown, own.variance.max(0.0)),
                (Some(own), true) => both(own, sum),
            };
            let grown = grown.max(least);
            nodes[at] = Combined {
                grown,
                variance,
                least: if variance > 0.0 { least } else { grown },
            };
            if let Some(parent) = self.parents[at] {
                sums[parent.0].add(&nodes[at]);
            }
        }
        nodes
    }
}

/// Two measurements of one thing. What is certain decides, and of two certain ones the parts do.
fn both(own: Estimate, sum: &Sum) -> (f64, f64) {
    let own_variance = own.variance.max(0.0);
    let all = own_variance + sum.variance;
    if sum.variance <= 0.0 || all <= 0.0 {
        return (sum.grown, 0.0);
    }
    // by shares, so that no product of variances overflows
    let share = sum.variance / all;
    (
        own.grown * share + sum.grown * (1.0 - share),
        own_variance * share,
    )
}

#[derive(Debug, Clone, Copy, Default)]
struct Combined {
    grown: f64,
    variance: f64,
    /// It cannot grow by less.
    least: f64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    grown: f64,
    variance: f64,
    least: f64,
    has_parts: bool,
}

impl Sum {
    fn add(&mut self, part: &Combined) {
        self.grown += part.grown;
        self.variance += part.variance;
        self.least += part.least;
        self.has_parts = true;
    }
}

/// The way down: the parts share what their parent grows by beyond their sum, in proportion to their
/// variances; one that would fall below what it can lose stays there, and the others share the rest.
fn share(parent_grown: f64, parts: &[usize], nodes: &mut [Combined]) {
    let mut free: Vec<usize> = parts
        .iter()
        .copied()
        .filter(|&part| nodes[part].variance > 0.0)
        .collect();
    let mut left = parent_grown
        - parts
            .iter()
            .filter(|&&part| nodes[part].variance <= 0.0)
            .map(|&part| nodes[part].grown)
            .sum::<f64>();
    loop {
        let sum: f64 = free.iter().map(|&part| nodes[part].grown).sum();
        let variance: f64 = free.iter().map(|&part| nodes[part].variance).sum();
        if free.is_empty() || variance <= 0.0 {
            return;
        }
        let beyond = left - sum;
        let would_be = |node: &Combined| node.grown + beyond * (node.variance / variance);
        let (stuck, rest): (Vec<usize>, Vec<usize>) = free
            .iter()
            .partition(|&&part| would_be(&nodes[part]) < nodes[part].least);
        if stuck.is_empty() {
            for part in free {
                nodes[part].grown = would_be(&nodes[part]);
            }
            return;
        }
        for part in stuck {
            nodes[part].grown = nodes[part].least;
            left -= nodes[part].least;
        }
        free = rest;
    }
}

/// What a forecast is moved by so that it agrees with those around it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Adjustment {
    /// Bytes at each of [`HORIZONS_DAYS`].
    pub bytes: [f64; HORIZONS],
}

impl Adjustment {
    /// Bytes so many days ahead: linear between the horizons and from now to the first one; after the
    /// last one it stays.
    pub fn at(&self, days: f64) -> f64 {
        let mut from = (0.0, 0.0);
        for to in HORIZONS_DAYS.into_iter().zip(self.bytes) {
            if days <= to.0 {
                let share = (days - from.0) / (to.0 - from.0);
                return from.1 + (to.1 - from.1) * share.max(0.0);
            }
            from = to;
        }
        from.1
    }
}
