//! A small plot of one series, for a terminal.

use jiff::Timestamp;
use plimsoll_core::size_text;

/// Rows of the plot; each holds eight steps.
const HEIGHT: usize = 8;
/// The eighths of a cell, from empty to full.
const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Draws a series (oldest first) as columns of the given width, with the sizes of its top and
/// bottom line on the left and the days of its ends below.
///
/// The lowest line is not zero when the series moves little: its size says so.
pub(crate) fn draw(points: &[(Timestamp, u64)], width: usize) -> Vec<String> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return Vec::new();
    };
    let columns = resample(points, width.clamp(10, 200));
    let low = columns.iter().copied().min().unwrap_or(0);
    let high = columns.iter().copied().max().unwrap_or(0);
    // A series that moves by less than half of its size is shown from near its smallest value.
    let floor = if low < high - low {
        0
    } else {
        low - (high - low) / 8
    };
    let range = (high - floor).max(1);
    let steps: Vec<usize> = columns
        .iter()
        .map(|&bytes| {
            let full = (HEIGHT * 8) as u128;
            let step = u128::from(bytes - floor) * full / u128::from(range);
            usize::try_from(step).unwrap_or(HEIGHT * 8).max(1)
        })
        .collect();
    let labels = [size_text::pretty(high), size_text::pretty(floor)];
    let label_width = labels
        .iter()
        .map(|label| label.chars().count())
        .max()
        .unwrap_or(0);
    let mut lines: Vec<String> = (0..HEIGHT)
        .rev()
        .map(|row| {
            let label = match row {
                0 => labels[1].as_str(),
                row if row == HEIGHT - 1 => labels[0].as_str(),
                _ => "",
            };
            let cells: String = steps
                .iter()
                .map(|&step| EIGHTHS[step.saturating_sub(row * 8).min(8)])
                .collect();
            format!("{label:>label_width$} ┤{cells}")
                .trim_end()
                .to_owned()
        })
        .collect();
    let (from, to) = (first.0.strftime("%Y-%m-%d"), last.0.strftime("%Y-%m-%d"));
    let gap = columns.len().saturating_sub(20).max(1);
    lines.push(format!("{:label_width$}  {from}{:gap$}{to}", "", ""));
    lines
}

/// The value in force at each of `width` moments from the first to the last point.
fn resample(points: &[(Timestamp, u64)], width: usize) -> Vec<u64> {
    let start = points[0].0.as_second();
    let span = points[points.len() - 1].0.as_second() - start;
    let mut index = 0;
    (0..width)
        .map(|column| {
            let offset = i128::from(span) * (column as i128) / (width as i128 - 1);
            let moment = start + i64::try_from(offset).unwrap_or(span);
            while index + 1 < points.len() && points[index + 1].0.as_second() <= moment {
                index += 1;
            }
            points[index].1
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(sizes: &[u64]) -> Vec<(Timestamp, u64)> {
        sizes
            .iter()
            .enumerate()
            .map(|(day, &size)| {
                let second = i64::try_from(day).unwrap() * 86_400;
                (Timestamp::from_second(second).unwrap(), size)
            })
            .collect()
    }

    #[test]
    fn a_rising_series_rises() {
        let lines = draw(&days(&(0..100).map(|n| n * 1000).collect::<Vec<_>>()), 40);
        assert_eq!(lines.len(), HEIGHT + 1);
        assert!(lines[0].starts_with("  97 kB ┤"), "{lines:#?}");
        assert!(lines[0].ends_with('█'), "{lines:#?}");
        assert!(lines[HEIGHT - 1].contains("0 bytes ┤▁"), "{lines:#?}");
        assert!(lines[HEIGHT].contains("1970-01-01"), "{lines:#?}");
    }

    #[test]
    fn odd_series_do_not_break_it() {
        for sizes in [vec![], vec![5], vec![7, 7, 7], vec![u64::MAX, 0, u64::MAX]] {
            let lines = draw(&days(&sizes), 30);
            assert_eq!(lines.is_empty(), sizes.is_empty());
        }
    }
}
