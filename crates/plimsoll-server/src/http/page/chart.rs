//! Small drawings as SVG. Colours come from the style sheet: the page's policy forbids inline styles.

use jiff::Timestamp;
use maud::{Markup, html};
use plimsoll_core::size_text;

/// The drawing's own units; it is stretched to its place.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 90.0;
const MARGIN: f64 = 4.0;

/// A curve of sizes over time. Nothing for less than two points.
pub(super) fn curve(points: &[(Timestamp, u64)]) -> Option<Markup> {
    let (first, last) = (points.first()?, points.last()?);
    let from = first.0.as_second();
    let span = as_f64(
        u64::try_from(last.0.as_second() - from)
            .ok()
            .filter(|span| *span > 0)?,
    );
    let least = points.iter().map(|(_, bytes)| *bytes).min()?;
    let most = points.iter().map(|(_, bytes)| *bytes).max()?;
    let range = as_f64((most - least).max(1));
    let place = |&(at, bytes): &(Timestamp, u64)| {
        let age = u64::try_from(at.as_second() - from).unwrap_or(0);
        let x = MARGIN + as_f64(age) / span * (WIDTH - 2.0 * MARGIN);
        let y = HEIGHT - MARGIN - as_f64(bytes - least) / range * (HEIGHT - 2.0 * MARGIN);
        format!("{x:.1},{y:.1}")
    };
    let line: Vec<_> = points.iter().map(place).collect();
    let line = line.join(" ");
    let base = HEIGHT - MARGIN;
    let area = format!("{MARGIN},{base} {line} {:.1},{base}", WIDTH - MARGIN);
    let title = format!(
        "From {} on {} to {} on {}, between {} and {}",
        size_text::pretty(first.1),
        day(first.0),
        size_text::pretty(last.1),
        day(last.0),
        size_text::pretty(least),
        size_text::pretty(most),
    );
    Some(html! {
        svg.curve role="img" viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" {
            title { (title) }
            polygon points=(area) {}
            polyline points=(line) {}
        }
    })
}

/// A bar of heap, toast and indexes against the largest table.
pub(super) fn bar(parts: [u64; 3], largest: u64) -> Markup {
    let scale = |bytes: u64| as_f64(bytes) / as_f64(largest.max(1)) * 100.0;
    let [heap, toast, index] = parts.map(scale);
    html! {
        svg.bar viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true" {
            rect.rest width="100" height="1" {}
            rect.heap width=(format!("{heap:.2}")) height="1" {}
            rect.toast x=(format!("{heap:.2}")) width=(format!("{toast:.2}")) height="1" {}
            rect.index x=(format!("{:.2}", heap + toast)) width=(format!("{index:.2}")) height="1" {}
        }
    }
}

/// The date of a time.
pub(super) fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// Exact below 2^53, and a drawing needs no more.
fn as_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_needs_two_points_in_time_and_stays_within_its_frame() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(curve(&[]).is_none());
        assert!(curve(&[(at(1), 5)]).is_none());
        assert!(curve(&[(at(1), 5), (at(1), 6)]).is_none());
        for points in [
            vec![(at(0), 5), (at(10), 5)],
            vec![(at(0), 0), (at(5), u64::MAX), (at(9), 7)],
        ] {
            let text = curve(&points).unwrap().into_string();
            let line = text
                .split("polyline points=\"")
                .nth(1)
                .unwrap()
                .split('"')
                .next()
                .unwrap();
            for number in line.split([' ', ',']).map(|n| n.parse::<f64>().unwrap()) {
                assert!((0.0..=WIDTH).contains(&number), "{line}");
            }
        }
    }
}
