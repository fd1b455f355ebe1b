//! A running rewrite or index build that fits is no pace: it stops by itself, and mostly gives back as much.

use jiff::Timestamp;

use crate::forecast::Point;

/// A table that is rewritten, or an index that is built, now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rewrite {
    /// When it began.
    pub since: Timestamp,
    /// What its new files take at most.
    pub needs_bytes: u64,
}

/// The looks without what running rewrites may have written; as they are where those do not fit.
///
/// Each look since a rewrite began is lowered by what was gained since, up to what the rewrite needs: growth beyond
/// that is a pace as ever. They do not fit where what they still need exceeds the available bytes.
pub fn without_rewrites(looks: &[Point], rewrites: &[Rewrite], available_bytes: u64) -> Vec<Point> {
    let mut lowered = looks.to_vec();
    let mut to_come = 0_u64;
    for rewrite in rewrites {
        let first = lowered.partition_point(|look| look.at < rewrite.since);
        // The last look before it is what there was; without one, the first within it.
        let Some(before) = lowered.get(first.saturating_sub(1)).map(|look| look.bytes) else {
            continue;
        };
        let mut written = 0;
        for look in &mut lowered[first..] {
            written = look.bytes.saturating_sub(before).min(rewrite.needs_bytes);
            look.bytes -= written;
        }
        to_come = to_come.saturating_add(rewrite.needs_bytes - written);
    }
    if to_come > available_bytes {
        looks.to_vec()
    } else {
        lowered
    }
}
