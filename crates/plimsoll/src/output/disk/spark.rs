//! A series in one line of small blocks.

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// So many steps.
pub(crate) const STEPS: usize = 14;

/// From the lowest to the highest; flat where they differ by less than `least`, and empty where nothing is known.
pub(super) fn spark(steps: &[Option<i64>], least: u64) -> String {
    let known = || steps.iter().flatten().copied();
    let (Some(low), Some(high)) = (known().min(), known().max()) else {
        return String::new();
    };
    let span = high.abs_diff(low);
    let block = |bytes: i64| {
        if span <= least {
            return BLOCKS[0];
        }
        let share = bytes.abs_diff(low) as f64 / span as f64;
        let last = BLOCKS.len() - 1;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of seven"
        )]
        let at = (share * last as f64).round() as usize;
        BLOCKS[at.min(last)]
    };
    let cells = steps.iter().map(|step| step.map_or(' ', block));
    cells.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reaches_from_the_lowest_to_the_highest_and_shows_what_is_not_known_as_nothing() {
        for (steps, least, expected) in [
            (&[Some(0), Some(7), None, Some(3)][..], 0, "▁█ ▄"),
            (&[Some(-7), Some(0)], 0, "▁█"),
            (&[Some(5), Some(5)], 0, "▁▁"),
            (&[Some(1000), Some(1009)], 10, "▁▁"),
            (&[Some(i64::MIN), Some(i64::MAX)], 0, "▁█"),
            (&[None, None], 0, ""),
            (&[], 0, ""),
        ] {
            assert_eq!(spark(steps, least), expected, "{steps:?}");
        }
    }
}
