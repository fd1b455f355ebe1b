//! A small plot of one series, for a terminal, and of how it is expected to go on.

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::forecast::{Band, Point};
use plimsoll_core::size_text;

use super::terminal_width;

/// Rows of the plot; each holds eight steps.
const HEIGHT: usize = 8;
/// The eighths of a cell, from empty to full.
const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// How many columns fit beside the labels: into the terminal, or into 80 where there is none.
pub(crate) fn width() -> usize {
    let columns = terminal_width().map_or(80, usize::from);
    columns.saturating_sub(16)
}

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

/// Draws a series and its forecast side by side: two thirds for the past, one third for what is to come,
/// up to the expected size dark, up to the upper 80 % bound light; a line where the limit is.
pub(crate) fn draw_forecast(
    points: &[Point],
    path: &[Band],
    limit_bytes: Option<u64>,
    width: usize,
) -> Vec<String> {
    let mut past: Vec<(Timestamp, u64)> = points.iter().map(|p| (p.at, p.bytes)).collect();
    past.sort_by_key(|(at, _)| *at);
    let (Some(furthest), Some(&(now, _))) = (path.last(), past.last()) else {
        return draw(&past, width);
    };
    let width = width.clamp(15, 200);
    let ahead_width = width / 3;
    // as much of the past as the picture has room for at the future's scale, and all of a short one
    let shown = SignedDuration::try_from_secs_f64(furthest.h * 2.0 * 86_400.0).unwrap_or_default();
    let from = now.checked_sub(shown).unwrap_or(Timestamp::MIN);
    past.retain(|(at, _)| *at >= from);
    let was: Vec<f64> = resample(&past, width - ahead_width)
        .into_iter()
        .map(|bytes| bytes as f64)
        .collect();
    let ahead: Vec<&Band> = (1..=ahead_width)
        .map(|column| &path[(path.len() - 1) * column / ahead_width])
        .collect();
    let seen = was.iter().copied();
    let sizes: Vec<f64> = seen
        .chain(ahead.iter().flat_map(|band| [band.lo80, band.hi80]))
        .collect();
    let mut high = sizes.iter().copied().fold(0.0, f64::max);
    let low = sizes.iter().copied().fold(f64::MAX, f64::min);
    // a limit far above would press the series flat
    let limit = limit_bytes.map(|bytes| bytes as f64);
    let limit = limit.filter(|limit| *limit >= low && *limit - low <= 2.0 * (high - low).max(1.0));
    high = high.max(limit.unwrap_or(0.0));
    let floor = if low < high - low {
        0.0
    } else {
        low - (high - low) / 8.0
    };
    let row_bytes = ((high - floor) / HEIGHT as f64).max(1.0 / HEIGHT as f64);
    let labels = [pretty(high), pretty(floor)];
    let label_width = labels.iter().map(|label| label.chars().count()).max();
    let label_width = label_width.unwrap_or(0);
    let mut lines: Vec<String> = (0..HEIGHT)
        .rev()
        .map(|row| {
            let bottom = floor + row as f64 * row_bytes;
            let middle = bottom + row_bytes / 2.0;
            let has_limit = limit.is_some_and(|limit| {
                (bottom..bottom + row_bytes).contains(&limit)
                    || (row == HEIGHT - 1 && limit >= bottom)
            });
            let empty = if has_limit { '─' } else { ' ' };
            let past = was.iter().map(|&bytes| {
                let least = if row == 0 { 1.0 } else { 0.0 };
                let cell = match ((bytes - bottom) / row_bytes * 8.0).clamp(least, 8.0) {
                    eighths if eighths < 0.5 => 0,
                    eighths => eighth(eighths),
                };
                if cell == 0 { empty } else { EIGHTHS[cell] }
            });
            let future = ahead.iter().map(|band| {
                if band.point >= middle || row == 0 {
                    '▒'
                } else if band.hi80 >= middle {
                    '░'
                } else {
                    empty
                }
            });
            let label = match row {
                0 => labels[1].as_str(),
                row if row == HEIGHT - 1 => labels[0].as_str(),
                _ => "",
            };
            let cells: String = past.chain(future).collect();
            format!("{label:>label_width$} ┤{cells}")
                .trim_end()
                .to_owned()
        })
        .collect();
    lines.push(below(
        &past,
        now,
        furthest.h,
        label_width,
        width - ahead_width,
        ahead_width,
    ));
    lines
}

/// The dates below the picture: its beginning, now, its end.
fn below(
    past: &[(Timestamp, u64)],
    now: Timestamp,
    days: f64,
    label_width: usize,
    past_width: usize,
    ahead_width: usize,
) -> String {
    let date = |at: Timestamp| at.strftime("%Y-%m-%d").to_string();
    let from = past.first().map_or_else(String::new, |(at, _)| date(*at));
    let end = SignedDuration::try_from_secs_f64(days * 86_400.0)
        .ok()
        .and_then(|ahead| now.checked_add(ahead).ok())
        .map_or_else(String::new, date);
    let gap = past_width.saturating_sub(from.len() + 5).max(1);
    let rest = ahead_width.saturating_sub(15).max(1);
    format!(
        "{:label_width$}  {from}{:gap$}{}{:rest$}{end}",
        "",
        "",
        date(now),
        "",
    )
}

fn pretty(bytes: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates"
    )]
    let bytes = bytes.max(0.0).round() as u64;
    size_text::pretty(bytes)
}

/// A place in `EIGHTHS`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is clamped to 0..=8"
)]
fn eighth(eighths: f64) -> usize {
    (eighths.round() as usize).min(8)
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
    fn the_forecast_stands_beside_the_past_with_its_limit() {
        let points: Vec<Point> = days(&(0..60).map(|n| 1_000_000 + n * 10_000).collect::<Vec<_>>())
            .into_iter()
            .map(|(at, bytes)| Point { at, bytes })
            .collect();
        let path: Vec<Band> = (0..=30)
            .map(|day| {
                let point = 1_590_000.0 + f64::from(day) * 10_000.0;
                let half = f64::from(day) * 5000.0;
                Band {
                    h: f64::from(day),
                    point,
                    lo80: point - half,
                    hi80: point + half,
                    lo95: point - 2.0 * half,
                    hi95: point + 2.0 * half,
                }
            })
            .collect();
        let lines = draw_forecast(&points, &path, Some(2_200_000), 60);
        assert_eq!(lines.len(), HEIGHT + 1);
        assert!(lines[0].contains("2148 kB ┤─"), "{lines:#?}");
        assert!(lines.iter().any(|line| line.ends_with('▒')), "{lines:#?}");
        assert!(lines.iter().any(|line| line.contains('░')), "{lines:#?}");
        assert!(lines[HEIGHT].contains("1970-03-01"), "{lines:#?}");
        assert!(lines[HEIGHT].ends_with("1970-03-31"), "{lines:#?}");
        let far = draw_forecast(&points, &path, Some(1 << 50), 60);
        assert!(!far.iter().any(|line| line.contains('─')), "{far:#?}");
        assert_eq!(draw_forecast(&points, &[], None, 60).len(), HEIGHT + 1);
        assert_eq!(draw_forecast(&[], &[], None, 60).len(), 0);
    }

    #[test]
    fn odd_series_do_not_break_it() {
        for sizes in [vec![], vec![5], vec![7, 7, 7], vec![u64::MAX, 0, u64::MAX]] {
            let lines = draw(&days(&sizes), 30);
            assert_eq!(lines.is_empty(), sizes.is_empty());
        }
    }
}
