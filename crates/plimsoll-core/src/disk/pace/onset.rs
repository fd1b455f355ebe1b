//! Where in a window it began, and whether it accelerates: blocks are fitted by a level that turns into a line, or
//! into a parabola.
//!
//! A window reaches back before the onset more often than not, and what was level and then rises by as much each
//! minute looks like something that accelerates. So both are fitted, and the parabola must be much the better.

use super::constants::{PARABOLA_BETTER, PARABOLA_FOLLOWS, STEEPER};
use super::slope::Block;

/// How a window's blocks are described best.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Onset {
    /// Blocks before it began.
    pub(super) level: usize,
    /// Hours before now at which it began: negative.
    pub(super) hour: f64,
    /// The parabola's pace now, and what it gains in an hour; none where a line will do.
    pub(super) parabola: Option<(f64, f64)>,
}

/// The onset in sorted blocks; at least `rising` of them are after it.
pub(super) fn onset(blocks: &[Block], rising: usize) -> Onset {
    let start = Onset {
        level: 0,
        hour: blocks.first().map_or(0.0, |block| block.hour),
        parabola: None,
    };
    let mut line = (start, f64::INFINITY);
    let mut parabola = (start, f64::INFINITY);
    for level in 0..=blocks.len().saturating_sub(rising) {
        for hour in hours(blocks, level) {
            let found = Onset {
                level,
                hour,
                parabola: None,
            };
            if let Some((_, rest)) = fit(blocks, hour, false)
                && rest < line.1
            {
                line = (found, rest);
            }
            if let Some(([_, slope, bend], rest)) = fit(blocks, hour, true)
                && rest < parabola.1
                // Steeper in its later half, and never falling.
                && slope >= 0.0
                && slope - 1.5 * bend * hour > STEEPER * (slope - 0.5 * bend * hour)
            {
                let bent = Some((slope - 2.0 * bend * hour, 2.0 * bend));
                parabola = (
                    Onset {
                        parabola: bent,
                        ..found
                    },
                    rest,
                );
            }
        }
    }
    let noise = PARABOLA_FOLLOWS * spread(blocks);
    if parabola.1 < PARABOLA_BETTER * line.1 && parabola.1 < noise {
        parabola.0
    } else {
        line.0
    }
}

/// When it may have begun after so many level blocks: somewhere between the last of them and the next.
fn hours(blocks: &[Block], level: usize) -> impl Iterator<Item = f64> {
    let last = blocks[level.saturating_sub(1)].hour;
    let steps = if level == 0 { 1 } else { 3 };
    (0..steps).map(move |step| last + (blocks[level].hour - last) * f64::from(step) / 3.0)
}

/// The sum of squares about the mean.
fn spread(blocks: &[Block]) -> f64 {
    let mean = blocks.iter().map(|block| block.bytes).sum::<f64>() / blocks.len() as f64;
    blocks
        .iter()
        .map(|block| (block.bytes - mean).powi(2))
        .sum()
}

/// Least squares of `level + slope x + bend x^2`, where x is the time since the onset and 0 before it. The
/// coefficients, and the sum of squares that is left.
fn fit(blocks: &[Block], hour: f64, bends: bool) -> Option<([f64; 3], f64)> {
    let scale = -hour;
    let unknowns = if bends { 3 } else { 2 };
    let row = |block: &Block| {
        let x = (block.hour - hour).max(0.0) / scale;
        [1.0, x, x * x]
    };
    let mut matrix = [[0.0; 4]; 3];
    for block in blocks {
        let row = row(block);
        for i in 0..unknowns {
            for j in 0..unknowns {
                matrix[i][j] += row[i] * row[j];
            }
            matrix[i][3] += row[i] * (block.bytes - blocks[0].bytes);
        }
    }
    let solution = solve(&mut matrix, unknowns)?;
    let rest = blocks
        .iter()
        .map(|block| {
            let row = row(block);
            let fitted: f64 = (0..unknowns).map(|i| solution[i] * row[i]).sum();
            (block.bytes - blocks[0].bytes - fitted).powi(2)
        })
        .sum();
    Some((
        [
            solution[0],
            solution[1] / scale,
            solution[2] / scale / scale,
        ],
        rest,
    ))
}

/// Gauss's elimination with the largest pivot; none where the equations say the same twice.
fn solve(matrix: &mut [[f64; 4]; 3], unknowns: usize) -> Option<[f64; 3]> {
    for i in 0..unknowns {
        let pivot =
            (i..unknowns).max_by(|a, b| matrix[*a][i].abs().total_cmp(&matrix[*b][i].abs()))?;
        matrix.swap(i, pivot);
        if matrix[i][i].abs() < 1e-9 {
            return None;
        }
        for k in 0..unknowns {
            if k != i {
                let factor = matrix[k][i] / matrix[i][i];
                let row = matrix[i];
                for (mine, pivot) in matrix[k].iter_mut().zip(row) {
                    *mine -= factor * pivot;
                }
            }
        }
    }
    let mut solution = [0.0; 3];
    for i in 0..unknowns {
        solution[i] = matrix[i][3] / matrix[i][i];
    }
    Some(solution)
}
