//! The slope of one window: medians of eight equal blocks, then the median of the slopes of all their pairs.
//!
//! That is the estimator of Theil (1950) and Sen (1968) on block medians: half of a block may be a sort's temporary
//! files, and a quarter of the blocks anything at all, and the slope does not move.

use jiff::Timestamp;

use super::constants::LEAST_BLOCKS;
use crate::forecast::Point;
use crate::forecast::stats::{median, total_weight, weighted_quantile};

/// One of a window's equal blocks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Block {
    /// The middle of its looks, in hours before now: negative.
    pub(super) hour: f64,
    /// The median of its looks.
    pub(super) bytes: f64,
}

/// A window's slope, in bytes an hour.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Slope {
    /// The median of all pairs.
    pub(super) mid: f64,
    /// Every pair's slope with its distance, sorted by slope.
    pairs: Vec<(f64, f64)>,
}

impl Slope {
    /// Of blocks; none where too few hold a look.
    pub(super) fn of(blocks: &[Block]) -> Option<Self> {
        if blocks.len() < LEAST_BLOCKS {
            return None;
        }
        let mut pairs = slopes(blocks);
        let mid = middle(&pairs);
        pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        Some(Self { mid, pairs })
    }

    /// A quantile of the pairs' slopes; pairs that lie further apart count more.
    pub(super) fn quantile(&self, q: f64) -> f64 {
        weighted_quantile(&self.pairs, total_weight(&self.pairs), q)
    }
}

/// Only the median of the pairs.
pub(super) fn middle_slope(blocks: &[Block]) -> Option<f64> {
    (blocks.len() >= LEAST_BLOCKS).then(|| middle(&slopes(blocks)))
}

/// The blocks of the `seconds` before `now` that hold a look. `looks` are sorted.
pub(super) fn blocks(looks: &[Point], now: Timestamp, seconds: i64, count: i64) -> Vec<Block> {
    let end = now.as_second();
    let mut rest = &looks[looks.partition_point(|look| look.at.as_second() <= end - seconds)..];
    let mut blocks = Vec::with_capacity(looks.len().min(16));
    let mut bytes = Vec::with_capacity(rest.len() / 8 + 8);
    for block in 1..=count {
        let until = end - seconds + seconds * block / count;
        let (these, others) =
            rest.split_at(rest.partition_point(|look| look.at.as_second() <= until));
        rest = others;
        if !these.is_empty() {
            bytes.clear();
            bytes.extend(these.iter().map(|look| look.bytes as f64));
            let second = |at: usize| (these[at].at.as_second() - end) as f64;
            let middle = f64::midpoint(second((these.len() - 1) / 2), second(these.len() / 2));
            blocks.push(Block {
                hour: middle / 3600.0,
                bytes: median(&mut bytes),
            });
        }
    }
    blocks
}

/// The slope of each pair of blocks, with its distance in hours.
fn slopes(blocks: &[Block]) -> Vec<(f64, f64)> {
    let mut pairs = Vec::with_capacity(blocks.len() * blocks.len() / 2);
    for (i, a) in blocks.iter().enumerate() {
        for b in &blocks[i + 1..] {
            let hours = b.hour - a.hour;
            if hours > 0.0 {
                pairs.push(((b.bytes - a.bytes) / hours, hours));
            }
        }
    }
    pairs
}

fn middle(pairs: &[(f64, f64)]) -> f64 {
    let mut slopes: Vec<f64> = pairs.iter().map(|(slope, _)| *slope).collect();
    median(&mut slopes)
}
