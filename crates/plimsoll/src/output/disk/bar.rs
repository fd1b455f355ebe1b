//! The bar of a volume: what fills it, what is free, and the lines at 85 and 95 %.

use plimsoll_core::disk::part::Kind;
use plimsoll_core::disk::state::{PartChange, Volume};

/// A stretch of the bar.
pub(super) struct Segment {
    pub(super) mark: char,
    pub(super) name: String,
    pub(super) bytes: u64,
}

/// The largest database, other parts, what is nobody's, and WAL, in the order of the bar.
pub(super) fn segments(volume: &Volume) -> [Segment; 4] {
    let bytes = |wanted: &dyn Fn(&PartChange) -> bool| -> u64 {
        let sum: i64 = volume
            .parts
            .iter()
            .filter(|it| wanted(it))
            .filter_map(|it| it.part.bytes)
            .sum();
        u64::try_from(sum).unwrap_or(0)
    };
    let largest = volume
        .parts
        .iter()
        .filter(|it| it.part.part == Kind::Database)
        .max_by_key(|it| it.part.bytes);
    let key = largest.map(|it| it.part.key());
    let name = key
        .and_then(|(_, name)| name)
        .unwrap_or("databases")
        .to_owned();
    let is_largest = |it: &PartChange| Some(it.part.key()) == key;
    let segment = |mark, name: &str, bytes| Segment {
        mark,
        name: name.to_owned(),
        bytes,
    };
    [
        segment('▓', &name, bytes(&is_largest)),
        segment(
            '▒',
            "other parts",
            bytes(&|it| !is_largest(it) && it.part.part != Kind::Wal && !it.part.part.is_rest()),
        ),
        segment(
            '░',
            "elsewhere and unexplained",
            bytes(&|it| it.part.part.is_rest()),
        ),
        segment('█', "WAL", bytes(&|it| it.part.part == Kind::Wal)),
    ]
}

/// Cells in proportion to bytes: none is lost to rounding, and what is free has a mark at 85 and at 95 %.
pub(super) fn bar(segments: &[Segment], capacity: u64, cells: usize) -> String {
    let cell = |bytes: u64| -> usize {
        let cells = u128::from(bytes) * cells as u128 * 2 / u128::from(capacity.max(1));
        usize::try_from(cells.div_ceil(2)).unwrap_or(usize::MAX)
    };
    let mut bar: Vec<char> = Vec::with_capacity(cells);
    let mut sum = 0_u64;
    for segment in segments {
        sum = sum.saturating_add(segment.bytes);
        while bar.len() < cell(sum).min(cells) {
            bar.push(segment.mark);
        }
    }
    while bar.len() < cells {
        let here = bar.len();
        let is_line = [85, 95].iter().any(|percent| cells * percent / 100 == here);
        bar.push(if is_line { '┊' } else { '·' });
    }
    bar.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_it_is_wide_and_loses_no_cell_to_rounding() {
        let segment = |mark, bytes| Segment {
            mark,
            name: String::new(),
            bytes,
        };
        for (bytes, capacity, cells, expected) in [
            ([25, 25, 0, 25], 100, 20, "▓▓▓▓▓▒▒▒▒▒█████··┊·┊"),
            ([0, 0, 0, 0], 100, 20, "·················┊·┊"),
            ([50, 30, 20, 0], 100, 10, "▓▓▓▓▓▒▒▒░░"),
            ([90, 90, 0, 0], 100, 10, "▓▓▓▓▓▓▓▓▓▒"),
            ([0, 0, 0, 0], 0, 10, "········┊┊"),
            ([33, 33, 33, 1], 100, 10, "▓▓▓▒▒▒▒░░░"),
        ] {
            let segments: Vec<Segment> = ['▓', '▒', '░', '█']
                .into_iter()
                .zip(bytes)
                .map(|(mark, bytes)| segment(mark, bytes))
                .collect();
            assert_eq!(bar(&segments, capacity, cells), expected, "{bytes:?}");
        }
    }
}
